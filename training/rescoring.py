"""Scores changed labelled conversations through the code that serves; what did not change is not computed again.

A turn that the service declines to score counts as one with a risk of 0, since nobody is told of it; how many there
are is said beside each figure.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from app.build import STUB_VERSION, classifier_of
from app.core.classifier import Classifier, Encoded, Memory, Output, Window
from app.core.conversation import Role
from app.core.labels import MIS_SELLING, names
from app.core.scores import ConversationScore
from app.core.text import clean
from app.core.turn_scores import TurnScore
from app.engine.scorer import Scorer
from app.model.release import newest_release, open_release
from app.model.replay import joined
from app.model.stub import StubClassifier, stub_calibration
from app.settings import MODELS, Settings
from training.corpus import LabelledConversation, LabelledTurn
from training.workers import done

SEED = 20261122
FLAGGED_FROM = 0.5
# The unchanged test split has fewer windows; a window's logits take some 0.2 MB.
_MOST_REMEMBERED = 1500
_MIS_SELLING = frozenset(names(MIS_SELLING))
Change = Callable[[str, random.Random], str]


class Remembering:
    """A classifier that answers a window it has met with the answer it gave; only the first ones are kept."""

    def __init__(self, classifier: Classifier, most: int = _MOST_REMEMBERED) -> None:
        self._classifier = classifier
        self._most = most
        self._known: dict[Window, Output] = {}

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """As the classifier behind it."""
        return self._classifier.encode(texts)

    def role_token(self, role: Role) -> int:
        """As the classifier behind it."""
        return self._classifier.role_token(role)

    def forward(self, window: Window, memory: Memory | None = None) -> Output:
        """As the classifier behind it, which is asked once for a window without memory."""
        if memory is not None:
            return self._classifier.forward(window, memory)
        if (known := self._known.get(window)) is not None:
            return known
        output = self._classifier.forward(window)
        if len(self._known) < self._most:
            # What an engine remembers takes far more room than its answer, and whole conversations never go on.
            output = replace(output, memory=joined(window, None))
            self._known[window] = output
        return output


@dataclass(frozen=True, slots=True)
class Bench:
    """A scorer, and from which probability on each label counts as shown."""

    scorer: Scorer
    thresholds: Mapping[str, float]
    version: str
    quiet: bool = False

    def scores(
        self, conversations: Sequence[LabelledConversation], what: str, evidence: bool = False
    ) -> list[ConversationScore]:
        """One score a conversation, in their order, with a progress bar named `what`."""
        score = partial(self.scorer.score, evidence=evidence)
        return done(score, [conversation.plain() for conversation in conversations], what, "conversation", self.quiet)


def bench_of(settings: Settings, directory: Path | None = None, quiet: bool = False) -> Bench:
    """The bench of a release, the newest if none is given, or of the stub where `settings.engine` says so.

    Raises:
        InvalidRelease: if there is no release, or it is not what was sealed.
    """
    if settings.engine == "stub":
        calibration = stub_calibration()
        scorer = Scorer(Remembering(StubClassifier()), calibration)
        return Bench(scorer, calibration.thresholds, STUB_VERSION, quiet)
    release = open_release(directory or settings.model_dir or newest_release(MODELS))
    scorer = Scorer(Remembering(classifier_of(release, settings.engine)), release.calibration)
    return Bench(scorer, release.calibration.thresholds, release.version, quiet)


def mis_sells(turn: LabelledTurn) -> bool:
    """Whether an annotator found any category of mis-selling in the turn."""
    return bool(turn.labels & _MIS_SELLING)


def sample(conversations: Sequence[LabelledConversation], most: int, what: str) -> list[LabelledConversation]:
    """At most so many of them, in their order, drawn by `SEED` and `what`."""
    if len(conversations) <= most:
        return list(conversations)
    drawn = random.Random(f"{SEED}/{what}").sample(range(len(conversations)), most)
    return [conversations[index] for index in sorted(drawn)]


def with_texts(conversation: LabelledConversation, texts: Sequence[str]) -> LabelledConversation:
    """The conversation with other words, one text a turn, and no evidence.

    A turn of which nothing visible would be left keeps its words: nobody sends an empty one.
    """
    turns = tuple(
        replace(turn, text=text if clean(text).text.strip() else turn.text, evidence=())
        for turn, text in zip(conversation.turns, texts, strict=True)
    )
    return replace(conversation, turns=turns)


def changed(
    conversation: LabelledConversation, change: Change, what: str, roles: frozenset[Role] = frozenset(Role)
) -> LabelledConversation:
    """The conversation with `change` made to the turns of some roles; the same each time for the same `what`."""
    return with_texts(
        conversation,
        [
            change(turn.text, random.Random(f"{SEED}/{what}/{conversation.id}/{index}"))
            if turn.role in roles
            else turn.text
            for index, turn in enumerate(conversation.turns)
        ],
    )


def until(conversation: LabelledConversation, last: int) -> LabelledConversation:
    """Its turns up to index `last`: what follows does not change the score of what came before."""
    return replace(conversation, turns=conversation.turns[: last + 1])


def risk_of(turn: TurnScore) -> float:
    """The turn's risk, 0 where it is not scored."""
    return 0.0 if turn.risk is None else turn.risk


def flagged(score: ConversationScore) -> list[int]:
    """The indices of turns with a risk of `FLAGGED_FROM` or more."""
    return [turn.turn for turn in score.turns if risk_of(turn) >= FLAGGED_FROM]


def not_scored(scores: Sequence[ConversationScore]) -> float:
    """The share of agent turns that the service declined to score."""
    agent = [turn.risk is None for score in scores for turn in score.turns if turn.role is Role.AGENT]
    return sum(agent) / max(len(agent), 1)


def risks(scores: Sequence[ConversationScore]) -> NDArray[np.float64]:
    """The risks of all agent turns, one after another."""
    return np.array([risk_of(turn) for score in scores for turn in score.turns if turn.role is Role.AGENT], float)


def truths(conversations: Sequence[LabelledConversation]) -> NDArray[np.bool_]:
    """Beside `risks`: whether each agent turn mis-sells."""
    return np.array([mis_sells(turn) for c in conversations for turn in c.turns if turn.role is Role.AGENT], bool)


def auc(truth: NDArray[np.bool_], risk: NDArray[np.float64], fewest: int = 1) -> float | None:
    """Area under the ROC curve; None with fewer than `fewest` of either kind."""
    if min(truth.sum(), (~truth).sum()) < fewest:
        return None
    return float(roc_auc_score(truth, risk))

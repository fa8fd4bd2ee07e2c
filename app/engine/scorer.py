"""The whole pipeline on one screen: conversation in, score out.

Every door enters here, and so does the evaluation, so that published figures are those of the code
that serves. Synchronous and without state of its own: safe to call from several threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from app.core.calibration import Calibration
from app.core.classifier import Classifier
from app.core.conversation import Conversation, Role, Turn
from app.core.errors import DeadlineExceeded, InvalidConversation, LimitExceeded, ModelFailed, SoftsellError
from app.core.evidence import Evidence, find
from app.core.labels import EVIDENCE_LABELS
from app.core.legibility import Unreadable, unreadable
from app.core.scores import ConversationScore, TurnScore, add_up, turn_score
from app.core.text import CleanText, clean
from app.engine.limits import Limits
from app.engine.windows import Piece, cut, shares, windows

# A piece of a turn, its logits, and those of its tokens.
_Part = tuple[Piece, Sequence[float], Sequence[Sequence[float]]]


def _never() -> bool:
    return False


def _unreadable_sides(conversation: Conversation, texts: Sequence[CleanText]) -> dict[Role, Unreadable]:
    """Each side whose words cannot be judged, and why."""
    sides: dict[Role, list[str]] = {Role.AGENT: [], Role.CUSTOMER: []}
    for turn, text in zip(conversation.turns, texts, strict=True):
        if turn.role in sides:
            sides[turn.role].append(text.text)
    return {role: reason for role, said in sides.items() if said and (reason := unreadable(said))}


class Scorer:
    """Scores conversations with one classifier and its calibration."""

    def __init__(self, classifier: Classifier, calibration: Calibration, limits: Limits | None = None) -> None:
        self._classifier = classifier
        self._calibration = calibration
        self._limits = limits or Limits()

    def score(
        self, conversation: Conversation, *, evidence: bool = True, cancelled: Callable[[], bool] = _never
    ) -> ConversationScore:
        """Score one conversation.

        Args:
            conversation: at least one turn; each with some visible character.
            evidence: whether to find the words that show each label.
            cancelled: asked before each window; when true, the work ends with `DeadlineExceeded`.

        Raises:
            InvalidConversation, LimitExceeded: if the conversation cannot be scored as it is.
            ModelFailed: if the engine raises, or gives numbers that are not finite.
            DeadlineExceeded: if `cancelled` said so.
        """
        texts = self._checked(conversation)
        try:
            pieces = cut([turn.role for turn in conversation.turns], texts, self._classifier)
            gathered: list[list[_Part]] = [[] for _ in conversation.turns]
            tokens = 0
            for window, fresh in windows(pieces):
                if cancelled():
                    raise DeadlineExceeded("the conversation was not scored in time; send fewer turns or try again")
                output = self._classifier.forward(window)
                for part in shares(window, pieces[fresh.start : fresh.stop], output):
                    piece, logits, _ = part
                    # Taking the highest logit of a long turn's pieces would hide what is not a number.
                    if not all(map(math.isfinite, logits)):
                        raise ModelFailed("the model gave a number that is not finite; this conversation has no score")
                    gathered[piece.turn].append(part)
                    tokens += len(piece.token_ids)
        except SoftsellError:
            raise
        except Exception as error:
            # The engine's own message may carry tensors or text, so only its type goes on.
            raise ModelFailed(f"the model failed on this conversation ({type(error).__name__})") from None
        turns = [
            self._turn(index, turn, parts, evidence)
            for index, (turn, parts) in enumerate(zip(conversation.turns, gathered, strict=True))
        ]
        return add_up(turns, self._calibration, tokens, _unreadable_sides(conversation, texts))

    def _checked(self, conversation: Conversation) -> list[CleanText]:
        limits, turns = self._limits, conversation.turns
        if not turns:
            raise InvalidConversation("the conversation has no turns; send at least one")
        if len(turns) > limits.max_turns:
            raise LimitExceeded(f"the conversation has {len(turns)} turns; the limit is {limits.max_turns}")
        texts: list[CleanText] = []
        total = 0
        for index, turn in enumerate(turns):
            text = self._folded(index, turn.text)
            total += len(text.text)
            if total > limits.max_conversation_characters:
                raise LimitExceeded(f"the conversation has over {limits.max_conversation_characters} characters")
            texts.append(text)
        return texts

    def _folded(self, index: int, original: str) -> CleanText:
        """The text that is tokenised. Folding can lengthen it (one letter stands for 18), so both are bounded."""
        most = self._limits.max_turn_characters
        text = clean(original) if len(original) <= most else None
        if text is None or len(text.text) > most:
            raise LimitExceeded(f"turn {index} has over {most} characters", index)
        if not text.text.strip():
            raise InvalidConversation(f"turn {index} has no visible character; leave empty turns out", index)
        return text

    def _turn(
        self,
        index: int,
        turn: Turn,
        parts: Sequence[_Part],
        evidence: bool,
    ) -> TurnScore:
        # A long turn shows what any of its pieces shows.
        logits = [max(column) for column in zip(*(logits for _, logits, _ in parts), strict=True)]
        score = turn_score(index, turn.role, logits, self._calibration.turn)
        if not evidence:
            return score
        return replace(
            score, evidence=self._evidence(turn, parts, {**score.categories, **score.practice, **score.signals})
        )

    def _evidence(
        self,
        turn: Turn,
        parts: Sequence[_Part],
        probabilities: dict[str, float],
    ) -> tuple[Evidence, ...]:
        spans = [span for piece, _, _ in parts for span in piece.spans]
        found: list[Evidence] = []
        for column, label in enumerate(EVIDENCE_LABELS):
            name = label.name
            if name not in probabilities or probabilities[name] < self._calibration.thresholds[name]:
                continue
            scale = self._calibration.token[name]
            scores = [scale(row[column]) for _, _, rows in parts for row in rows]
            found += find(name, turn.text, spans, scores, self._calibration.token_thresholds[name])
        return tuple(sorted(found, key=lambda item: (item.start, item.end)))

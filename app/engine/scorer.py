"""The whole pipeline on one screen: conversation in, score out.

Every door enters here, and so does the evaluation, so that published figures are those of the code
that serves. Synchronous; safe to call from several threads. With a cache, turns that were scored before
in the same scope are not scored again; what comes out is the same (`tests/engine/test_prefix.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from app.core.calibration import Calibration
from app.core.classifier import Classifier
from app.core.conversation import Conversation, Turn
from app.core.errors import DeadlineExceeded, InvalidConversation, LimitExceeded, ModelFailed, SoftsellError
from app.core.evidence import Evidence, find
from app.core.labels import EVIDENCE_LABELS
from app.core.scores import ConversationScore, add_up
from app.core.tally import Tally
from app.core.text import CleanText, clean
from app.core.turn_scores import TurnScore, turn_score
from app.engine.cache import PrefixCache
from app.engine.limits import Limits
from app.engine.prefix import ScoredPrefix, Step, keys_in
from app.engine.windows import Part, Piece, cut, shares

# Nine turns of ten in the corpus are shorter.
_LIKELY_TOKENS = 64


def _never() -> bool:
    return False


def folded(index: int, original: str, limits: Limits) -> CleanText:
    """The text of turn `index` that is tokenised. Folding can lengthen it (one letter stands for 18): both are bounded.

    Raises:
        InvalidConversation, LimitExceeded: if there is nothing to read in it, or too much.
    """
    most = limits.max_turn_characters
    text = clean(original) if len(original) <= most else None
    if text is None or len(text.text) > most:
        raise LimitExceeded(f"turn {index} has over {most} characters", index)
    if not text.text.strip():
        raise InvalidConversation(f"turn {index} has no visible character; leave empty turns out", index)
    return text


class Scorer:
    """Scores conversations with one classifier and its calibration."""

    def __init__(
        self,
        classifier: Classifier,
        calibration: Calibration,
        limits: Limits | None = None,
        cache: PrefixCache | None = None,
    ) -> None:
        self._classifier = classifier
        self._calibration = calibration
        self._limits = limits or Limits()
        self._cache = cache or PrefixCache(0)

    def score(
        self,
        conversation: Conversation,
        *,
        evidence: bool = True,
        scope: str | None = None,
        cancelled: Callable[[], bool] = _never,
    ) -> ConversationScore:
        """Score one conversation.

        Args:
            conversation: at least one turn; each with some visible character.
            evidence: whether to say the words that show each label.
            scope: whose conversation it is; nothing scored in one scope is found in another. Without one
                nothing is remembered.
            cancelled: asked before each window; when true, the work ends with `DeadlineExceeded`.

        Raises:
            InvalidConversation, LimitExceeded: if the conversation cannot be scored as it is.
            ModelFailed: if the engine raises, or gives numbers that are not finite.
            DeadlineExceeded: if `cancelled` said so.
        """
        turns, limits = conversation.turns, self._limits
        if not turns:
            raise InvalidConversation("the conversation has no turns; send at least one")
        if len(turns) > limits.max_turns:
            raise LimitExceeded(f"the conversation has {len(turns)} turns; the limit is {limits.max_turns}")
        keys = keys_in(conversation, scope)
        prefix = self._cache.longest(keys)
        known = len(prefix.steps)
        if known < len(turns):
            try:
                self._grow(prefix, turns[known:], keys[known:], cancelled)
            except SoftsellError:
                raise
            except Exception as error:
                # The engine's own message may carry tensors or text, so only its type goes on.
                raise ModelFailed(f"the model failed on this conversation ({type(error).__name__})") from None
        score = self._added_up(prefix, evidence)
        if known < len(turns) and scope is not None:
            if known == 0 and len(turns) > 1:
                # Most of what comes whole does not go on; what does is read again once, and remembered then.
                prefix.memory = None
            self._cache.put(prefix)
        return score

    def prepare(self, conversation: Conversation, *, scope: str) -> None:
        """Read ahead for a conversation that was just scored and goes on, if its window is nearly full.

        The next turn then costs no more for opening a window. Does nothing without a cache.
        """
        keys = keys_in(conversation, scope)
        prefix = self._cache.longest(keys)
        if len(prefix.steps) == len(keys) and prefix.ahead is None and prefix.ends_window(_LIKELY_TOKENS):
            self._cache.read_ahead(keys[-1], self._classifier.forward(prefix.next_context()).memory)

    def _added_up(self, prefix: ScoredPrefix, evidence: bool) -> ConversationScore:
        scores = [step.score if evidence else replace(step.score, evidence=()) for step in prefix.steps]
        last = prefix.steps[-1]
        sides = {role: side.reason for role, side in prefix.sides.items() if role in last.tally.roles}
        unreadable = {role: reason for role, reason in sides.items() if reason is not None}
        return add_up(scores, last.tally, self._calibration, last.tokens, unreadable)

    def _grow(
        self, prefix: ScoredPrefix, turns: Sequence[Turn], keys: Sequence[bytes], cancelled: Callable[[], bool]
    ) -> None:
        """Score the turns after a prefix, and add them to it."""
        first = len(prefix.steps)
        texts = self._checked(prefix, turns)
        pieces = cut([turn.role for turn in turns], texts, self._classifier)
        gathered: list[list[Part]] = [[] for _ in turns]
        for part in self._read(prefix, pieces, cancelled):
            # Taking the highest logit of a long turn's pieces would hide what is not a number.
            if not all(map(math.isfinite, part.logits)):
                raise ModelFailed("the model gave a number that is not finite; this conversation has no score")
            gathered[part.piece.turn].append(part)
        state = prefix.steps[-1] if prefix.steps else Step(b"", TurnScore(0, turns[0].role), "", Tally(), 0, 0, 0)
        for index, (turn, text, parts, key) in enumerate(zip(turns, texts, gathered, keys, strict=True), first):
            score = self._turn(index, turn, parts)
            state = Step(
                key,
                score,
                text.text,
                state.tally.after(score),
                state.pieces + len(parts),
                state.characters + len(text.text),
                state.tokens + sum(len(part.piece.token_ids) for part in parts),
            )
            prefix.steps.append(state)
            if turn.role in prefix.sides:
                prefix.sides[turn.role].add(text.text)

    def _read(self, prefix: ScoredPrefix, pieces: Sequence[Piece], cancelled: Callable[[], bool]) -> Iterator[Part]:
        """Each piece with its logits; all of one window are read together."""
        waiting: list[Piece] = []

        def run() -> Iterator[Part]:
            if cancelled():
                raise DeadlineExceeded("the conversation was not scored in time; send fewer turns or try again")
            window = prefix.window(len(prefix.pieces) - len(waiting))
            output = self._classifier.forward(window, prefix.memory)
            prefix.memory = output.memory
            yield from shares(window, waiting, output)

        for piece in pieces:
            if waiting and prefix.ends_window(len(piece.token_ids)):
                yield from run()
                waiting.clear()
            prefix.add_piece(piece.token_ids)
            waiting.append(piece)
        yield from run()

    def _checked(self, prefix: ScoredPrefix, turns: Sequence[Turn]) -> list[CleanText]:
        limits = self._limits
        texts: list[CleanText] = []
        total = prefix.steps[-1].characters if prefix.steps else 0
        for index, turn in enumerate(turns, len(prefix.steps)):
            text = folded(index, turn.text, limits)
            total += len(text.text)
            if total > limits.max_conversation_characters:
                raise LimitExceeded(f"the conversation has over {limits.max_conversation_characters} characters")
            texts.append(text)
        return texts

    def _turn(self, index: int, turn: Turn, parts: Sequence[Part]) -> TurnScore:
        # A long turn shows what any of its pieces shows.
        logits = [max(column) for column in zip(*(part.logits for part in parts), strict=True)]
        score = turn_score(index, turn.role, logits, self._calibration.turn)
        shown = {**score.categories, **score.practice, **score.signals}
        return replace(score, evidence=self._evidence(turn, parts, shown))

    def _evidence(self, turn: Turn, parts: Sequence[Part], probabilities: dict[str, float]) -> tuple[Evidence, ...]:
        found: list[Evidence] = []
        for column, label in enumerate(EVIDENCE_LABELS):
            name = label.name
            if name not in probabilities or probabilities[name] < self._calibration.thresholds[name]:
                continue
            spans = [span for part in parts for span in part.piece.spans]
            scale = self._calibration.token[name]
            scores = [scale(row[column]) for part in parts for row in part.token_logits]
            found += find(name, turn.text, spans, scores, self._calibration.token_thresholds[name])
        return tuple(sorted(found, key=lambda item: (item.start, item.end)))

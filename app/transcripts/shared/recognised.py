"""Words as speech recognisers give them, one by one, made into utterances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from app.core.conversation import Role
from app.transcripts.shared.fields import mean_share
from app.transcripts.shared.spoken import Spoken
from app.transcripts.tree import NUMBERS, Node

# The silence at which recognisers themselves cut what one speaker says into utterances.
PAUSE_MS = 800
_USUAL = 1e6


def _at(words: Node, index: int) -> Node:
    return Node(words.value[index], index, words)


def _milliseconds(value: Any, words: Node, index: int, name: str, unit_ms: float) -> int | None:
    # The usual case without a `Node` of its own: a call has many thousand words.
    if type(value) in NUMBERS and 0 <= value < _USUAL:
        time: float = value
        return round(time * unit_ms)
    return None if value is None else _at(words, index)[name].milliseconds(unit_ms)


def utterances(
    words: Node,
    unit_ms: float,
    names: Sequence[str] = ("word",),
    confidence: str = "confidence",
    pause_ms: int | None = None,
) -> Iterator[Spoken]:
    """The utterances that a list of words makes: one for each run of a `speaker`.

    Args:
        words: objects with `start`, `end` and `speaker`, any of which may be missing; a word without a
            speaker belongs to the one before it.
        unit_ms: of the times.
        names: the fields that may hold a word, the best one first.
        confidence: the field of a word's confidence.
        pause_ms: the silence that also ends an utterance, if any.
    """
    first: Node | None = None
    # The word that told who speaks, and whom it told.
    named: Node | None = None
    speaker: Any = None
    texts: list[str] = []
    scores: list[Any] = []
    start: int | None = None
    end: int | None = None
    values = [] if words.value is None else words.value
    if not isinstance(values, list):
        raise words.error("must be a list")
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            raise _at(words, index).error("must be an object")
        text: Any = None
        for name in names:
            if (text := value.get(name)) is not None:
                break
        if not text and (text is None or isinstance(text, str)):
            continue
        if not isinstance(text, str):
            raise _at(words, index).error("must hold a word that is a text")
        began = _milliseconds(value.get("start"), words, index, "start", unit_ms)
        ended = _milliseconds(value.get("end"), words, index, "end", unit_ms)
        who = value.get("speaker")
        if first is not None:
            paused = pause_ms is not None and end is not None and began is not None and began - end > pause_ms
            if paused or (who is not None and speaker is not None and who != speaker):
                yield _run(first, named, texts, scores, start, end)
                first, texts, scores, start, end = None, [], [], None, None
        if who is not None and who != speaker:
            named, speaker = _at(words, index), who
        if first is None:
            first = _at(words, index)
        texts.append(text.strip())
        scores.append(value.get(confidence))
        start = began if start is None else start
        end = end if ended is None else ended
    if first is not None:
        yield _run(first, named, texts, scores, start, end)


def _run(
    first: Node, named: Node | None, texts: list[str], scores: list[Any], start: int | None, end: int | None
) -> Spoken:
    return Spoken(
        Role.UNKNOWN,
        first.holding(" ".join(texts)).text(),
        start,
        end,
        None if named is None else named["speaker"].label(),
        first.pointer,
        confidence=mean_share(scores),
    )

"""Token probabilities to spans of the caller's own text: the words that show a label."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_SPANS_PER_LABEL = 3
# Words below the threshold that may stand inside a span, between two words above it.
_BRIDGED_WORDS = 2
# Where a turn shows a label but no word reaches the threshold, the words near the strongest one do.
_SHARE_OF_PEAK = 0.6
_WEAKEST_PEAK = 0.02
_WORD = re.compile(r"\S+")
_EDGE_PUNCTUATION = " \t\n.,;:!?\"'()-–—…“”‘’"


@dataclass(frozen=True, slots=True)
class Evidence:
    """text[start:end], in Unicode code points of the caller's text, shows `label`.

    `score` is the calibrated probability of its strongest word.
    """

    label: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class _Word:
    start: int
    end: int
    probability: float


def _words(text: str, spans: Sequence[tuple[int, int]], probabilities: Sequence[float]) -> list[_Word]:
    found: list[_Word] = []
    token = 0
    for match in _WORD.finditer(text):
        start, end = match.span()
        best = 0.0
        while token < len(spans) and spans[token][0] < end:
            best = max(best, probabilities[token])
            token += 1
        found.append(_Word(start, end, best))
    return found


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in _EDGE_PUNCTUATION:
        start += 1
    while end > start and text[end - 1] in _EDGE_PUNCTUATION:
        end -= 1
    return start, end


def find(
    label: str, text: str, spans: Sequence[tuple[int, int]], probabilities: Sequence[float], threshold: float
) -> list[Evidence]:
    """The strongest stretches of `text` that show `label`, at most three, in the order of the text.

    Args:
        label: a name of `EVIDENCE_LABELS`.
        text: the turn as the caller sent it.
        spans: each token's place in `text`, in order.
        probabilities: each token's calibrated probability of lying in evidence of the label.
        threshold: from which probability on a word counts.
    """
    words = _words(text, spans, probabilities)
    peak = max((word.probability for word in words), default=0.0)
    if peak < _WEAKEST_PEAK:
        return []
    threshold = min(threshold, peak * _SHARE_OF_PEAK)
    runs: list[list[int]] = []
    for index, word in enumerate(words):
        if word.probability < threshold:
            continue
        if runs and index - runs[-1][1] <= _BRIDGED_WORDS + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    weighed = sorted(runs, key=lambda run: -sum(word.probability for word in words[run[0] : run[1] + 1]))
    found: list[Evidence] = []
    for first, last in sorted(weighed[:MAX_SPANS_PER_LABEL]):
        start, end = _trim(text, words[first].start, words[last].end)
        if start < end:
            score = max(word.probability for word in words[first : last + 1])
            found.append(Evidence(label, start, end, score))
    return found

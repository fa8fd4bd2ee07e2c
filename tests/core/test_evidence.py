"""Spans of evidence are words of the caller's text, few and trimmed."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from app.core.evidence import MAX_SPANS_PER_LABEL, find


def spans_of(text: str) -> list[tuple[int, int]]:
    found, start = [], 0
    for word in text.split(" "):
        found.append((start, start + len(word)))
        start += len(word) + 1
    return found


def words_found(text: str, probabilities: list[float], threshold: float = 0.5) -> list[str]:
    return [text[item.start : item.end] for item in find("pressure", text, spans_of(text), probabilities, threshold)]


def test_words_above_the_threshold_become_one_span() -> None:
    assert words_found("you must sign today, love", [0.1, 0.9, 0.8, 0.9, 0.1]) == ["must sign today"]


def test_a_weak_word_between_strong_ones_is_bridged() -> None:
    assert words_found("a b c d e", [0.9, 0.1, 0.1, 0.9, 0.0]) == ["a b c d"]
    assert words_found("a b c d e", [0.9, 0.1, 0.1, 0.1, 0.9]) == ["a", "e"]


def test_where_no_word_reaches_the_threshold_the_strongest_stand() -> None:
    assert words_found("a b c", [0.1, 0.3, 0.01]) == ["b"]


def test_no_word_at_all_gives_no_evidence() -> None:
    assert words_found("a b c", [0.001, 0.002, 0.0]) == []


def test_the_strongest_three_are_kept_in_the_order_of_the_text() -> None:
    text = "a x x x b x x x c x x x d"
    probabilities = [0.6, 0, 0, 0, 0.9, 0, 0, 0, 0.7, 0, 0, 0, 0.8]
    assert words_found(text, probabilities) == ["b", "c", "d"]


def test_score_is_that_of_the_strongest_word() -> None:
    (item,) = find("pressure", "must sign", spans_of("must sign"), [0.7, 0.9], 0.5)
    assert item.score == 0.9


@given(st.text(min_size=1, max_size=80), st.data())
def test_spans_lie_within_any_text_and_are_trimmed(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    spans = [(a, b) for a, b in itertools.pairwise(cuts) if a < b]
    probabilities = data.draw(st.lists(st.floats(0, 1), min_size=len(spans), max_size=len(spans)))
    found = find("need", text, spans, probabilities, 0.5)
    assert len(found) <= MAX_SPANS_PER_LABEL
    for item in found:
        assert 0 <= item.start < item.end <= len(text)
        assert text[item.start : item.end].strip() == text[item.start : item.end]

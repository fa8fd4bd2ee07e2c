"""Words of evidence taken out, kept alone, and as many others in their place."""

import random

import pytest

from training.faithfulness import NOTHING, elsewhere, kept, marked, variants

TEXT = "Trust me, this is guaranteed to double by May."
SPAN = (TEXT.index("guaranteed"), TEXT.index(" by"))


def test_words_that_a_span_touches_are_marked() -> None:
    assert [word for word, mark in zip(TEXT.split(), marked(TEXT, [SPAN]), strict=True) if mark] == [
        "guaranteed",
        "to",
        "double",
    ]
    assert not any(marked(TEXT, []))
    # A span that ends within a word takes the whole of it.
    assert sum(marked(TEXT, [(0, 2)])) == 1


def test_evidence_and_the_rest_make_up_the_turn() -> None:
    without, only, _, _ = variants(TEXT, [SPAN], random.Random(1))
    assert only == "guaranteed to double"
    assert without == "Trust me, this is by May."


@pytest.mark.parametrize("seed", range(10))
def test_other_words_are_as_many_and_not_the_same(seed: int) -> None:
    marks = marked(TEXT, [SPAN])
    others = elsewhere(marks, random.Random(seed))
    assert sum(others) == sum(marks)
    assert others != marks
    assert others == elsewhere(marks, random.Random(seed))


def test_where_no_word_is_left_something_visible_stands() -> None:
    assert kept("Guaranteed", [True], False) == NOTHING
    assert elsewhere([True], random.Random(1)) == [True]

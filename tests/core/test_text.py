"""Disguised characters fold to plain ones, and every folded character knows where it came from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.text import clean


@pytest.mark.parametrize(
    "disguised",
    [
        "gua\u200branteed",
        "gua\u00adranteed",
        "gua\u202eranteed",
        "ｇｕａｒａｎｔｅｅｄ",
        "guаrаntееd",
        "guáranteed",
        "𝐠𝐮𝐚𝐫𝐚𝐧𝐭𝐞𝐞𝐝",
    ],
)
def test_disguises_are_undone(disguised: str) -> None:
    assert clean(disguised).text == "guaranteed"


def test_typographic_marks_become_plain() -> None:
    assert clean("‘no’ – “fee”").text == "'no' - \"fee\""


def test_white_space_of_all_kinds_becomes_a_blank() -> None:
    assert clean("ab\tcd\nef\u00a0gh\u2003ij").text == "ab cd ef gh ij"


def test_lone_surrogates_and_control_characters_are_dropped() -> None:
    assert clean("a\ud800b\x00c\x7f").text == "abc"


def test_a_span_leads_back_to_the_disguised_word() -> None:
    original = "it is gua\u200branteed now"
    folded = clean(original)
    start = folded.text.index("guaranteed")
    begin, end = folded.original_span(start, start + len("guaranteed"))
    assert original[begin:end] == "gua\u200branteed"


@given(st.text(alphabet=st.characters(codec=None)))
def test_total_on_any_string_with_offsets_that_lead_back(original: str) -> None:
    folded = clean(original)
    assert len(folded.origins) == len(folded.ends) == len(folded.text)
    assert list(folded.origins) == sorted(folded.origins)
    for position in range(len(folded.text)):
        start, end = folded.original_span(position, position + 1)
        assert 0 <= start < end <= len(original)
        alone = clean(original[start:end]).text
        # A digit is read as a letter only among letters.
        assert folded.text[position] in alone or alone in "431057@$"


@given(st.text())
def test_folding_twice_changes_nothing_more(original: str) -> None:
    once = clean(original).text
    assert clean(once).text == once


@pytest.mark.parametrize(
    "mark",
    [
        "[PERSON_NAME]",
        "[PII]",
        "<NAME>",
        "{{DATE}}",
        "####",
        "****",
        "XXXX",
        "[redacted]",
        "[NAME-1]",
        "<<CARD NUMBER>>",
    ],
)
def test_every_mark_of_a_redaction_is_one(mark: str) -> None:
    original = f"hello {mark}, guaranteed"
    folded = clean(original)
    assert folded.text == "hello ~, guaranteed"
    assert folded.original_span(6, 7) == (6, 6 + len(mark))
    start, end = folded.original_span(9, 19)
    assert original[start:end] == "guaranteed"


@pytest.mark.parametrize(
    "text", ["[laughs] ok", "**no**", "f***ing", "xx", "a #1 offer", "if x < Y and Z > 2", "[sic]"]
)
def test_what_is_no_redaction_stays(text: str) -> None:
    assert clean(text).text == text


@pytest.mark.parametrize(
    "disguised",
    ["gu4r4nt33d", "gu4ranteed", "gu@r@nteed", "g u a r a n t e e d", "g-u-a-r-a-n-t-e-e-d", "g.u.a.r.a.n.t.e.e.d"],
)
def test_letters_in_disguise_are_read_as_the_word(disguised: str) -> None:
    folded = clean(f"it is {disguised} now")
    assert folded.text == "it is guaranteed now"
    assert folded.original_span(6, 16) == (6, 6 + len(disguised))


@pytest.mark.parametrize(
    "text",
    ["24h", "b2b", "office365", "401k", "5G", "the 1st of may", "I'm a b", "jo@firm.example", "7.5% for 10 years"],
)
def test_honest_digits_and_letters_stay(text: str) -> None:
    assert clean(text).text == text

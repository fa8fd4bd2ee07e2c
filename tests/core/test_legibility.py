"""What one side says is judged or not: other languages, too little, damage; and what must not be taken for these."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.conversation import Role
from app.core.legibility import Unreadable, unreadable
from app.core.text import clean
from training import corpus

SAMPLES = Path(__file__).parent / "samples"


def judged(*texts: str) -> Unreadable | None:
    return unreadable([clean(text).text for text in texts])


def dialogues() -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Language and the words of each side of every dialogue in `foreign.txt`."""
    language = ""
    for block in (SAMPLES / "foreign.txt").read_text(encoding="utf-8").strip().split("\n\n"):
        sides: dict[str, list[str]] = {"A": [], "C": []}
        for line in block.split("\n"):
            if line.startswith("# "):
                language = line[2:]
            else:
                sides[line[0]].append(line[3:])
        yield language, sides


def test_twenty_languages_are_not_english() -> None:
    found = [(language, judged(*said)) for language, sides in dialogues() for said in sides.values()]
    assert len({language for language, _ in found}) == 20
    assert len(found) == 200
    right = [language for language, reason in found if reason is Unreadable.LANGUAGE_NOT_ENGLISH]
    assert len(right) >= 0.98 * len(found)


@pytest.mark.parametrize("line", (SAMPLES / "english.txt").read_text(encoding="utf-8").splitlines())
def test_english_with_other_words_names_addresses_and_numbers_is_judged(line: str) -> None:
    assert judged(line) is None


def test_the_whole_corpus_is_judged() -> None:
    refused = [
        (conversation.id, role)
        for conversation in corpus.load()
        for role in (Role.AGENT, Role.CUSTOMER)
        if (said := [turn.text for turn in conversation.turns if turn.role is role])
        and judged(*said) is not None
        and len(" ".join(said).split()) >= 30
    ]
    assert refused == []


ENGLISH = "so the cover is twenty pounds a month and you can cancel at any time"
SPANISH = "entonces le voy a explicar todo lo que incluye este seguro para su coche y para su casa"


def test_the_larger_share_of_a_mixture_decides() -> None:
    assert judged(ENGLISH, ENGLISH, "muchas gracias, hasta luego") is None
    assert judged(SPANISH, SPANISH, "okay thank you") is Unreadable.LANGUAGE_NOT_ENGLISH


def test_an_unlisted_language_is_known_by_what_it_lacks() -> None:
    estonian = "tere ma helistan teile seoses meie uue paketiga mis maksab kakskümmend eurot kuus ilma lepinguta"
    assert judged(estonian) is Unreadable.LANGUAGE_NOT_ENGLISH


@pytest.mark.parametrize("text", ["Hi", "hello there", "?!", "👍 👍 👍 👍", "...", "好"])
def test_a_word_or_two_are_too_little(text: str) -> None:
    assert judged(text) is Unreadable.TOO_LITTLE_SAID


def test_words_are_counted_over_the_whole_side() -> None:
    assert judged("hi", "yes", "bye") is None


@pytest.mark.parametrize(
    "text",
    [
        "[NAME] [DATE] [CARD] and [ADDRESS]",
        "#### #### yes #### ####",
        "q w t; z b c, d f g.",
        "xkcdq wrtpsdf the bcdfgh zxcvb",
        "\ufffd\ufffd\ufffd t\ufffdr\ufffd \ufffdk\ufffd ok",
    ],
)
def test_what_is_mostly_no_words_is_damaged(text: str) -> None:
    assert judged(text) is Unreadable.TEXT_TOO_DAMAGED


def test_a_few_marks_do_no_damage() -> None:
    assert judged("hello [NAME], your card ending #### is due on [DATE]") is None


@given(st.lists(st.text(max_size=80), max_size=5))
def test_any_text_is_judged_alike_in_any_order(texts: list[str]) -> None:
    assert unreadable(texts) == unreadable(list(reversed(texts)))

"""Disguises hide words from no reader, come out the same each time, and leave what they must not touch."""

import random
import re

import pytest

from app.core.conversation import Role
from app.core.text import clean
from training.disguises import DISGUISES, SPELLED, TYPO_RATE, Disguise, spelled
from training.hard_cases import conversation_of
from training.rescoring import changed

TEXT = "It is absolutely guaranteed, no risk at all: only $49.99 until 5 pm, trust me on this wonderful offer."
BY_NAME = {disguise.name: disguise for disguise in DISGUISES}
WORDS = " ".join(["guaranteed wonderful investment opportunity"] * 200)


def of(family: str) -> list[Disguise]:
    return [disguise for disguise in DISGUISES if disguise.family == family]


@pytest.mark.parametrize("disguise", DISGUISES, ids=lambda disguise: disguise.name)
def test_a_disguise_changes_content_words_only_and_the_same_way_each_time(disguise: Disguise) -> None:
    found = disguise.change(TEXT, random.Random(1))
    assert found != TEXT
    assert found == disguise.change(TEXT, random.Random(1))
    for kept in ("It is ", ", no ", " at all: ", " $49.99 ", " 5 pm, ", " me on "):
        assert kept in found
    assert len(found.split()) == len(TEXT.split())


@pytest.mark.parametrize(
    "disguise", [*of("invisible"), *of("combining"), *of("full-width")], ids=lambda disguise: disguise.name
)
def test_what_a_reader_hardly_sees_folds_to_the_clean_text(disguise: Disguise) -> None:
    assert clean(disguise.change(TEXT, random.Random(2))).text == clean(TEXT).text


@pytest.mark.parametrize("disguise", of("look-alike"), ids=lambda disguise: disguise.name)
def test_look_alikes_replace_letters_one_by_one_by_letters_outside_ascii(disguise: Disguise) -> None:
    found = disguise.change(TEXT, random.Random(3))
    assert len(found) == len(TEXT)
    moved = [character for character, original in zip(found, TEXT, strict=True) if character != original]
    assert len(moved) > 15
    assert not any(character.isascii() for character in moved)


def test_digits_for_letters_keep_the_length_and_one_digit_a_word_is_one() -> None:
    for disguise in of("l33t"):
        assert len(disguise.change(TEXT, random.Random(4))) == len(TEXT)
    for word in BY_NAME["l33t: one digit a word"].change(WORDS, random.Random(4)).split():
        assert len(re.findall(r"\d", word)) == 1
    assert BY_NAME["l33t: signs and digits"].change("best offer", random.Random(4)) == "b3$t 0ff3r"


@pytest.mark.parametrize("put", ["dropped", "doubled"])
def test_about_one_letter_in_six_slips(put: str) -> None:
    found = BY_NAME[f"typos: letters {put}"].change(WORDS, random.Random(5))
    moved = abs(len(found) - len(WORDS)) / len(re.findall(r"[a-z]", WORDS))
    assert moved == pytest.approx(TYPO_RATE, abs=0.03)


def test_swapped_letters_stay_in_their_word() -> None:
    found = BY_NAME["typos: letters swapped"].change(WORDS, random.Random(6))
    pairs = list(zip(found.split(), WORDS.split(), strict=True))
    assert all(sorted(word) == sorted(original) for word, original in pairs)
    assert sum(word != original for word, original in pairs) > len(pairs) / 2


def test_only_words_of_evidence_are_spelled_out() -> None:
    start = TEXT.index("guaranteed")
    found = spelled(TEXT, [(start, start + len("guaranteed, no risk"))], "-")
    assert found == TEXT.replace("guaranteed", "g-u-a-r-a-n-t-e-e-d").replace("risk", "r-i-s-k")
    assert spelled(TEXT, [], "-") == TEXT
    assert set(SPELLED.values()) == {"-", " ", "."}


def test_only_turns_of_the_role_are_disguised_and_labels_stay() -> None:
    conversation = conversation_of("x", [(Role.AGENT, TEXT), (Role.CUSTOMER, TEXT)])
    found = changed(conversation, BY_NAME["soft hyphens"].change, "soft hyphens", frozenset({Role.AGENT}))
    assert found.turns[0].text != TEXT
    assert found.turns[1].text == TEXT
    assert found == changed(conversation, BY_NAME["soft hyphens"].change, "soft hyphens", frozenset({Role.AGENT}))
    assert [turn.labels for turn in found.turns] == [turn.labels for turn in conversation.turns]

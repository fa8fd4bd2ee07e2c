"""Who is who: the source's word, the caller's map, names, who is left, and a guess told as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from app.core.conversation import Conversation, Role, Turn
from app.transcripts.roles import Basis, assign

AGENT, CUSTOMER, UNKNOWN, BOT = Role.AGENT, Role.CUSTOMER, Role.UNKNOWN, Role.BOT


def talk(*turns: tuple[str | None, Role]) -> Conversation:
    return Conversation(tuple(Turn(str(i), role, "words", speaker=label) for i, (label, role) in enumerate(turns)))


def found(conversation: Conversation, given: Mapping[str, Role] | None = None) -> list[tuple[str | None, Role, str]]:
    return [(s.label, s.role, s.basis) for s in assign(conversation, given or {})[1]]


def test_the_source_is_believed_before_the_map() -> None:
    conversation = talk(("A", AGENT), ("B", UNKNOWN))
    assert found(conversation, {"A": CUSTOMER, "B": CUSTOMER}) == [
        ("A", AGENT, Basis.SOURCE),
        ("B", CUSTOMER, Basis.MAP),
    ]


@pytest.mark.parametrize("label", ["a", "channel 1", "speaker 1", "1", " Channel  1"])
def test_the_map_names_a_speaker_in_several_ways(label: str) -> None:
    assert found(talk((label, UNKNOWN), ("z", UNKNOWN)), {"A": AGENT, "1": AGENT, "z": CUSTOMER})[0] == (
        label,
        AGENT,
        Basis.MAP,
    )


def test_an_address_is_known_by_its_domain() -> None:
    conversation = talk(("jo@firm.example", UNKNOWN), ("kim@home.example", UNKNOWN))
    assert [role for _, role, _ in found(conversation, {"@firm.example": AGENT})] == [AGENT, CUSTOMER]
    assert [role for _, role, _ in found(conversation, {"firm.example": AGENT})] == [AGENT, CUSTOMER]


def test_the_map_goes_before_well_known_names_and_names_before_who_is_left() -> None:
    conversation = talk(("Agent", UNKNOWN), ("Jo", UNKNOWN))
    assert found(conversation) == [("Agent", AGENT, Basis.NAME), ("Jo", CUSTOMER, Basis.REMAINING)]
    assert found(conversation, {"agent": CUSTOMER}) == [("Agent", CUSTOMER, Basis.MAP), ("Jo", AGENT, Basis.REMAINING)]


def test_nobody_is_left_over_among_three_or_beside_unnamed_turns() -> None:
    assert [role for _, role, _ in found(talk(("Agent", UNKNOWN), ("Jo", UNKNOWN), ("Kim", UNKNOWN)))] == [
        AGENT,
        UNKNOWN,
        UNKNOWN,
    ]
    assert found(talk(("Agent", UNKNOWN), ("Jo", UNKNOWN), (None, UNKNOWN)))[1:] == [
        ("Jo", UNKNOWN, Basis.NONE),
        (None, UNKNOWN, Basis.NONE),
    ]


def test_a_bot_and_third_parties_take_no_side() -> None:
    assert found(talk(("IVR", BOT), ("A", UNKNOWN), ("B", UNKNOWN)))[1:] == [
        ("A", UNKNOWN, Basis.NONE),
        ("B", UNKNOWN, Basis.NONE),
    ]
    assert found(talk(("Agent", UNKNOWN), ("Interpreter", UNKNOWN)))[1] == ("Interpreter", UNKNOWN, Basis.NONE)


def test_one_speaker_may_have_two_roles_in_the_source() -> None:
    conversation, speakers = assign(talk(("x", BOT), ("x", AGENT), ("y", CUSTOMER)), {})
    assert [turn.role for turn in conversation.turns] == [BOT, AGENT, CUSTOMER]
    assert [(s.role, s.turns) for s in speakers] == [(BOT, 1), (AGENT, 1), (CUSTOMER, 1)]


@pytest.mark.parametrize(("confidence", "role", "basis"), [(0.9, AGENT, Basis.GUESS), (0.89, UNKNOWN, Basis.NONE)])
def test_a_guess_is_told_and_taken_only_where_it_is_sure(confidence: float, role: Role, basis: Basis) -> None:
    asked: list[Mapping[str, Sequence[str]]] = []

    def guess(said: Mapping[str, Sequence[str]]) -> Mapping[str, tuple[Role, float]]:
        asked.append(said)
        return {"A": (AGENT, confidence), "B": (CUSTOMER, 1.0)}

    _, (first, second) = assign(talk(("A", UNKNOWN), ("B", UNKNOWN), ("A", UNKNOWN)), {}, guess)
    assert (first.role, first.basis, first.confidence, first.turns) == (role, basis, confidence, 2)
    assert (second.role, second.basis) == (CUSTOMER, Basis.GUESS)
    assert asked == [{"A": ["words", "words"], "B": ["words"]}]


def test_nobody_is_guessed_to_be_on_the_side_that_is_known() -> None:
    def guess(said: Mapping[str, Sequence[str]]) -> Mapping[str, tuple[Role, float]]:
        assert set(said) == {"B", "C"}
        return {"B": (AGENT, 0.99), "C": (CUSTOMER, 0.99)}

    _, speakers = assign(talk(("A", UNKNOWN), ("B", UNKNOWN), ("C", UNKNOWN)), {"A": AGENT}, guess)
    assert [(s.role, s.basis) for s in speakers] == [
        (AGENT, Basis.MAP),
        (UNKNOWN, Basis.NONE),
        (CUSTOMER, Basis.GUESS),
    ]


def test_nobody_guesses_where_both_sides_are_known() -> None:
    def guess(_: Mapping[str, Sequence[str]]) -> Mapping[str, tuple[Role, float]]:
        raise AssertionError

    assign(talk(("Agent", UNKNOWN), ("Customer", UNKNOWN), ("Jo", UNKNOWN)), {}, guess)

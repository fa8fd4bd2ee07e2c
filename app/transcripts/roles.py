"""Who is who: each speaker's role, and how it was found.

In this order: what the source states, the caller's map, well-known names (`Agent`, `Caller`, …),
the one role that is left where two speak, and at last a guess. A guess is told as one, with its
confidence; below `LEAST_CONFIDENCE` the speaker keeps the role `unknown`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from app.core.conversation import Conversation, Role, Turn
from app.transcripts.speakers import is_third_party, roles_of

LEAST_CONFIDENCE = 0.9
_OTHER_SIDE = {Role.AGENT: Role.CUSTOMER, Role.CUSTOMER: Role.AGENT}
_SIDES = frozenset(_OTHER_SIDE)

Guesser = Callable[[Mapping[str, Sequence[str]]], Mapping[str, tuple[Role, float]]]
"""From what each unknown speaker says, to their role and the confidence in it, 0 to 1."""


class Basis(StrEnum):
    """How a role was found."""

    SOURCE = "source"
    MAP = "map"
    NAME = "name"
    REMAINING = "remaining"
    GUESS = "guess"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Speaker:
    """One speaker of a conversation; `label` is `None` for turns of which the source names none.

    `confidence` is of a guess alone, also of one that was too weak to be taken.
    """

    label: str | None
    role: Role
    basis: Basis
    turns: int
    confidence: float | None = None


def _key(label: str) -> str:
    return " ".join(label.casefold().split())


def _given(label: str, given: Mapping[str, Role]) -> Role | None:
    """The role that the caller's map gives a label: by itself, by `channel 1`, or by the domain of an address."""
    key = _key(label)
    names = [key, key.removeprefix("channel "), key.removeprefix("speaker "), key.rpartition("@")[2]]
    return next((given[name] for name in names if name in given), None)


def assign(
    conversation: Conversation, given: Mapping[str, Role], guess: Guesser | None = None
) -> tuple[Conversation, tuple[Speaker, ...]]:
    """The conversation with a role for each speaker as far as one is found, and how each was.

    Args:
        conversation: as a reader gave it.
        given: the caller's map, from a speaker's label, channel number or domain to a role.
        guess: asked last, and only where no agent or no customer is known.
    """
    given = {_key(label).removeprefix("@"): role for label, role in given.items()}
    # A source may know a speaker by two roles, as one who is put through does; its word stands for each turn.
    voices = Counter((turn.speaker, turn.role) for turn in conversation.turns)
    labels = [label for label, role in voices if role is Role.UNKNOWN and label]
    by_name = roles_of(labels)
    found: dict[str, tuple[Role, Basis, float | None]] = {}
    for label in labels:
        mapped = _given(label, given)
        if mapped is not None:
            found[label] = (mapped, Basis.MAP, None)
        elif by_name[label] is not Role.UNKNOWN:
            found[label] = (by_name[label], Basis.NAME, None)
    known = {role for _, role in voices} | {role for role, _, _ in found.values()}
    open_labels = [label for label in labels if label not in found and not is_third_party(label)]
    unnamed = any(role is Role.UNKNOWN and not label for label, role in voices)
    sides = known & _SIDES
    if len(open_labels) == 1 and len(sides) == 1 and not unnamed:
        (side,) = sides
        found[open_labels[0]] = (_OTHER_SIDE[side], Basis.REMAINING, None)
    elif open_labels and len(sides) < 2 and guess:
        said = {
            label: [turn.text for turn in conversation.turns if turn.speaker == label and turn.role is Role.UNKNOWN]
            for label in open_labels
        }
        for label, (role, confidence) in guess(said).items():
            # Of a side that is known, nobody more is guessed: a second agent has to be named.
            sure = confidence >= LEAST_CONFIDENCE and role not in sides
            found[label] = (role if sure else Role.UNKNOWN, Basis.GUESS if sure else Basis.NONE, confidence)

    if found:
        roles = {label: role for label, (role, _, _) in found.items()}
        turns = tuple(
            Turn(turn.id, roles[turn.speaker], *turn[2:])
            if turn.role is Role.UNKNOWN and turn.speaker in roles
            else turn
            for turn in conversation.turns
        )
        conversation = replace(conversation, turns=turns)
    return conversation, _speakers(voices, found)


def _speakers(
    voices: Mapping[tuple[str | None, Role], int], found: Mapping[str, tuple[Role, Basis, float | None]]
) -> tuple[Speaker, ...]:
    """Each speaker, from how many turns each label has in each role that the source states."""
    counts: Counter[tuple[str | None, Role, Basis, float | None]] = Counter()
    for (label, role), turns in voices.items():
        known: tuple[Role, Basis, float | None] = (role, Basis.SOURCE, None)
        if role is Role.UNKNOWN:
            known = found.get(label or "", (Role.UNKNOWN, Basis.NONE, None))
        counts[label, *known] += turns
    return tuple(Speaker(label, role, basis, n, confidence) for (label, role, basis, confidence), n in counts.items())

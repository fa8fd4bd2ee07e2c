"""From a document to conversations whose speakers have roles: what every door calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from app.core.conversation import Conversation, Role
from app.core.errors import InvalidConversation, UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.reader import Entry, LeftOut
from app.transcripts.registry import AUTO, read, read_value
from app.transcripts.roles import Guesser, Speaker, assign
from app.transcripts.tree import Node

_ROLE_NAMES = ", ".join(Role)


@dataclass(frozen=True, slots=True)
class Taken:
    """A conversation of a document, or why there is none, as `Entry`, and how each role was found."""

    outcome: Conversation | UnreadableTranscript
    format: str
    speakers: tuple[Speaker, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    line: int | None = None


def _taken(entries: Iterable[Entry], roles: Mapping[str, Role], guess: Guesser | None) -> Iterator[Taken]:
    for entry in entries:
        outcome = entry.outcome
        speakers: tuple[Speaker, ...] = ()
        if isinstance(outcome, Conversation):
            outcome, speakers = assign(outcome, roles, guess)
        yield Taken(outcome, entry.format, speakers, entry.left_out, entry.line)


def take(
    document: Document, roles: Mapping[str, Role], only: str = AUTO, guess: Guesser | None = None
) -> Iterator[Taken]:
    """The conversations of a document, one at a time; never raises on any bytes.

    Args:
        document: what was sent.
        roles: the caller's map from a speaker to a role; see `app.transcripts.roles`.
        only: the name of the format, where the caller knows it.
        guess: who is asked last for a role.
    """
    return _taken(read(document, only), roles, guess)


def take_value(
    value: object, roles: Mapping[str, Role], only: str = AUTO, guess: Guesser | None = None
) -> Iterator[Taken]:
    """As `take`, of a parsed JSON value. Raises `UnreadableTranscript` where no reader knows it."""
    return _taken(read_value(Node(value, "transcript"), only), roles, guess)


def parse_roles(given: Iterable[str]) -> dict[str, Role]:
    """The map that `A=agent` or `A=agent,B=customer` spells; the last `=` of a pair counts.

    Raises:
        InvalidConversation: if a pair is no pair or its role is none; the message quotes nothing.
    """
    found: dict[str, Role] = {}
    for pair in (pair for item in given for pair in item.split(",") if pair.strip()):
        label, _, role = pair.rpartition("=")
        if not label.strip() or role.strip() not in list(Role):
            raise InvalidConversation(f"roles are pairs such as A=agent,B=customer; a role is one of {_ROLE_NAMES}")
        found[label.strip()] = Role(role.strip())
    return found

"""What a transcript format is: how it is recognised, and how it is read.

To add one, put one file into `formats/` that defines `READER`, a `JsonReader` for a shape of JSON or
a `Reader` for anything else, or `READERS` where a system needs several, and one sample of each into
`tests/transcripts/samples/<its name>/`. Nothing else needs to know; what several readers need is in
`shared/`. A reader gives a speaker the role that the source itself states and `unknown` otherwise;
`app.transcripts.roles` does the rest. Times of turns, of calls and chats alike, are offsets from the
start of the conversation: where a source has points in time, from the start that it states, or else
from the first turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from app.core.conversation import Conversation
from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.tree import Node


class Rank(IntEnum):
    """Who goes first where several readers recognise a document: the highest."""

    FALLBACK = 0
    """Reads nearly anything, such as plain text."""
    GENERIC = 1
    """Goes by a shape that several systems write, such as a table with a column of speakers."""
    SPECIFIC = 2
    """Goes by marks that only this system writes."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something of the source that became no turn: where it stood, and why, in words that quote nothing."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a document holds: a conversation, or why there is none.

    `line` is where it stands in a document of one conversation a line, counted from 1; `None` where
    it is not one. `format` is the name of its reader, which the registry fills in.
    """

    outcome: Conversation | UnreadableTranscript
    line: int | None = None
    left_out: tuple[LeftOut, ...] = ()
    format: str = ""


def each(parts: Iterable[Node], read: Callable[[Node], Entry]) -> Iterator[Entry]:
    """An entry for each of several conversations; a broken one is an error in its place, and the rest is read."""
    for part in parts:
        try:
            yield read(part)
        except UnreadableTranscript as error:
            yield Entry(error)


@dataclass(frozen=True, slots=True)
class JsonReader:
    """A shape of JSON, be it a document, a line of one, or a part of another format's document.

    `name` is what callers write, `title` what people read. `recognises` must not raise on any value.
    `read` yields at least one entry, or raises `UnreadableTranscript` and nothing else; where one of
    several conversations is broken, it yields that error as an entry and goes on.
    """

    name: str
    title: str
    recognises: Callable[[Any], bool]
    read: Callable[[Node], Iterable[Entry]]
    rank: Rank = Rank.SPECIFIC


@dataclass(frozen=True, slots=True)
class Reader:
    """Any other format; as `JsonReader`, but of a document. `recognises` may raise `UnreadableTranscript`."""

    name: str
    title: str
    recognises: Callable[[Document], bool]
    read: Callable[[Document], Iterable[Entry]]
    rank: Rank = Rank.SPECIFIC

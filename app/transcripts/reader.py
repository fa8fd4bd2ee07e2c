"""What a transcript format is: how it is recognised, and how it is read.

To add one, put one file into `formats/` that defines `READER`, and one sample of it into
`tests/transcripts/samples/<name of the reader>/`. Nothing else needs to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum

from app.core.conversation import Conversation
from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document


class Rank(IntEnum):
    """Who goes first where several readers recognise a document: the highest."""

    FALLBACK = 0
    """Reads nearly anything, such as plain text."""
    GENERIC = 1
    """Goes by a shape that several systems write, such as a table with a column of speakers."""
    SPECIFIC = 2
    """Goes by marks that only this system writes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a document holds: a conversation, or why there is none.

    `line` is where it stands in a document of one conversation a line, counted from 1; `None` where
    it is the whole document.
    """

    outcome: Conversation | UnreadableTranscript
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """A format.

    `recognises` must not raise. `read` yields at least one entry, or raises `UnreadableTranscript`
    and nothing else; where one of several conversations is broken, it yields that error as an
    entry and goes on.
    """

    name: str
    recognises: Callable[[Document], bool]
    read: Callable[[Document], Iterable[Entry]]
    rank: Rank = Rank.SPECIFIC

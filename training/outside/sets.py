"""What a set of the outside world is, and how its files are found and read."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from app.core.conversation import Conversation, Role, Turn
from app.core.scores import ConversationScore
from app.core.text import clean
from app.core.turn_scores import TurnScore
from training.outside.figures import Figure

Marks = frozenset[str]
NO_MARKS: Marks = frozenset()


@dataclass(frozen=True, slots=True)
class Talk:
    """A text of a set as a conversation, with the set's own labels.

    `unit` is what the bootstrap draws: talks of one unit are not independent. `marks` are those of
    each turn, in their order; `whole` those of the talk.
    """

    unit: str
    conversation: Conversation
    marks: tuple[Marks, ...]
    whole: Marks = NO_MARKS


@dataclass(frozen=True, slots=True)
class Scored:
    """A talk and its score."""

    talk: Talk
    score: ConversationScore

    def abstained(self, role: Role) -> bool:
        """Whether turns of a role were there, and the conversation has no score of them."""
        of = {Role.AGENT: "mis_selling", Role.CUSTOMER: "signals"}[role]
        spoke = any(turn.role is role for turn in self.score.turns)
        return spoke and any(abstention.of == of for abstention in self.score.abstained)

    def turns(self, role: Role) -> Iterator[tuple[TurnScore, Marks]]:
        """The scores of the turns of a role, with their marks; without those that have no score."""
        for turn, marks in zip(self.score.turns, self.talk.marks, strict=True):
            if turn.role is role and (turn.categories or turn.signals):
                yield turn, marks


@dataclass(frozen=True, slots=True)
class OutsideSet:
    """A set, what is expected of it, and how it is read and measured.

    `files` are patterns of file names; `read` gets the files that match, in their order. `sample` is
    how many units are scored, all if None. `targets` holds the most that a figure should be.
    `listed` sets have their flagged turns listed for a reader.
    """

    name: str
    title: str
    source: str
    terms: str
    rows: str
    transfers: str
    differs: str
    files: tuple[str, ...]
    read: Callable[[Sequence[Path]], list[Talk]]
    figures: Callable[[Sequence[Scored], Mapping[str, float]], dict[str, Figure]]
    sample: int | None = None
    targets: Mapping[str, float] = field(default_factory=dict)
    listed: bool = False

    def found(self, directory: Path) -> list[Path]:
        """The set's files anywhere below a folder, in the order of the patterns and of their paths."""
        return [path for pattern in self.files for path in sorted(directory.rglob(pattern)) if path.is_file()]


def text_of(path: Path) -> str:
    """A file as text, unpacked where it is gzipped."""
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")


def table(path: Path, delimiter: str = ",") -> Iterator[dict[str, str]]:
    """The rows of a delimited file with a header."""
    return csv.DictReader(StringIO(text_of(path), newline=""), delimiter=delimiter)


def document(path: Path) -> Any:
    """A JSON file."""
    return json.loads(text_of(path))


def talk(unit: str, turns: Iterable[tuple[Role, str, Marks]], whole: Marks = NO_MARKS) -> Talk | None:
    """A talk of the turns that have a visible character; None where none has."""
    kept = [(role, text, marks) for role, text, marks in turns if clean(text).text.strip()]
    if not kept:
        return None
    conversation = Conversation(tuple(Turn(str(n), role, text) for n, (role, text, _) in enumerate(kept)))
    return Talk(unit, conversation, tuple(marks for _, _, marks in kept), whole)


def both_ways(unit: str, turns: Sequence[tuple[str, str, Marks]], whole: Marks = NO_MARKS) -> list[Talk]:
    """A talk of peers, once with each speaker (speaker, text, marks) as the agent and all others as customers."""
    speakers = sorted({speaker for speaker, _, _ in turns})
    roles = {True: Role.AGENT, False: Role.CUSTOMER}
    found = [talk(unit, [(roles[s == agent], text, marks) for s, text, marks in turns], whole) for agent in speakers]
    return present(found)


def present(talks: Iterable[Talk | None]) -> list[Talk]:
    """Those that are talks."""
    return [held for held in talks if held is not None]

"""The corpus: labelled conversations in the `.dlg` format, parsed and validated.

The format is described in `training/corpus/README.md`. A file that breaks a rule is refused with
its line number, so that a mistake of an author never becomes a label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.conversation import Channel, Conversation, Role, Turn
from app.core.labels import MATERIAL_SEVERITY, MIS_SELLING, TURN_LABELS, names

CORPUS = Path(__file__).parent / "corpus"

_REQUIRED = ("id", "sector", "region", "channel", "severity", "empathy")
_TURN = re.compile(r"([AC]): (\S.*)$")
_SPAN = re.compile(r"\[([^\[\]{}]+)\]\{([a-z_, ]+)\}")
_ROLES = {"A": Role.AGENT, "C": Role.CUSTOMER}
_LABELS_OF_ROLE = {role: frozenset(names(tuple(x for x in TURN_LABELS if x.role is role))) for role in _ROLES.values()}

_MIS_SELLING = frozenset(names(MIS_SELLING))


class CorpusError(ValueError):
    """A line of the corpus breaks the format; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A labelled stretch of a turn: text[start:end] in code points."""

    start: int
    end: int
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class LabelledTurn:
    """A turn without its marks, and what was marked."""

    role: Role
    text: str
    labels: frozenset[str]
    evidence: tuple[Evidence, ...]
    empathy: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class LabelledConversation:
    """One conversation of the corpus."""

    id: str
    sector: str
    region: str
    channel: Channel
    severity: int
    empathy: int
    turns: tuple[LabelledTurn, ...]
    pair: str | None = None

    @property
    def author(self) -> str:
        """Who wrote it: the id up to the first dash."""
        return self.id.split("-")[0]

    def plain(self) -> Conversation:
        """As a caller would send it: without labels."""
        turns = tuple(Turn(str(index), turn.role, turn.text) for index, turn in enumerate(self.turns))
        return Conversation(turns, id=self.id, channel=self.channel)


def parse_turn(line: str) -> LabelledTurn:
    """One line such as `A: [words]{label} more || e=0,1,0 dismissive`.

    Raises:
        ValueError: if the line breaks the format.
    """
    match = _TURN.match(line)
    if not match:
        raise ValueError("neither a header, a turn nor an empty line")
    role = _ROLES[match.group(1)]
    marked, _, tail = match.group(2).partition(" || ")
    text, evidence, cursor = "", [], 0
    for span in _SPAN.finditer(marked):
        text += marked[cursor : span.start()]
        labels = frozenset(name.strip() for name in span.group(2).split(","))
        evidence.append(Evidence(len(text), len(text) + len(span.group(1)), labels))
        text += span.group(1)
        cursor = span.end()
    text += marked[cursor:]
    if re.search(r"[\[\]{}]|\|\|", text):
        raise ValueError("a stray bracket, brace or ||, or a nested span")
    labels = frozenset().union(*(item.labels for item in evidence))
    empathy = (0, 0, 0)
    for item in tail.split():
        if item.startswith("e="):
            levels = item[2:].split(",")
            if role is not Role.AGENT or len(levels) != 3 or not set(levels) <= set("012"):
                raise ValueError("e=R,I,X wants an agent turn and three of 0, 1, 2")
            empathy = (int(levels[0]), int(levels[1]), int(levels[2]))
        else:
            labels |= {item}
    if unknown := labels - _LABELS_OF_ROLE[role]:
        raise ValueError(f"not labels of the {role}: {', '.join(sorted(unknown))}")
    return LabelledTurn(role, text.rstrip(), labels, tuple(evidence), empathy)


def _parse_header(line: str) -> dict[str, str]:
    try:
        header = dict(part.split("=", 1) for part in line[2:].split())
    except ValueError as error:
        raise ValueError("a header holds key=value pairs") from error
    if missing := [key for key in _REQUIRED if not header.get(key)]:
        raise ValueError(f"header lacks {', '.join(missing)}")
    known = header["severity"] in set("0123") and header["empathy"] in set("01234")
    if not known or header["channel"] not in list(Channel):
        raise ValueError("severity is 0 to 3, empathy 0 to 4, channel voice or chat")
    return header


def parse(path: Path) -> Iterator[LabelledConversation]:
    """The conversations of one file. Raises `CorpusError` at the first broken line."""
    header: dict[str, str] | None = None
    turns: list[LabelledTurn] = []

    def finished() -> Iterator[LabelledConversation]:
        if header is not None:
            if not turns:
                raise ValueError(f"conversation {header['id']} has no turns")
            yield LabelledConversation(
                header["id"],
                header["sector"],
                header["region"],
                Channel(header["channel"]),
                int(header["severity"]),
                int(header["empathy"]),
                tuple(turns),
                header.get("pair"),
            )

    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = raw.strip()
        try:
            if line.startswith("@ "):
                yield from finished()
                header, turns = _parse_header(line), []
            elif line and not line.startswith("#"):
                if header is None:
                    raise ValueError("a turn before the first header")
                turns.append(parse_turn(line))
        except ValueError as error:
            raise CorpusError(f"{path.name}:{number}: {error}") from error
    yield from finished()


def load(directory: Path = CORPUS) -> list[LabelledConversation]:
    """All conversations of a directory, by id. Raises `CorpusError`, also where an id is used twice."""
    conversations: dict[str, LabelledConversation] = {}
    for path in sorted(directory.glob("*.dlg")):
        for conversation in parse(path):
            if conversation.id in conversations:
                raise CorpusError(f"{path.name}: id {conversation.id} is used twice")
            conversations[conversation.id] = conversation
    _check_whole(list(conversations.values()))
    return [conversations[key] for key in sorted(conversations)]


def _check_whole(conversations: Sequence[LabelledConversation]) -> None:
    """Rules over whole conversations and pairs. Raises `CorpusError` with the id."""
    pairs: dict[str, list[LabelledConversation]] = {}
    for conversation in conversations:
        shown = any(turn.labels & _MIS_SELLING for turn in conversation.turns)
        if shown and conversation.severity == 0:
            raise CorpusError(f"{conversation.id}: severity 0 carries no mis-selling label")
        if not shown and conversation.severity >= MATERIAL_SEVERITY:
            raise CorpusError(f"{conversation.id}: severity {conversation.severity} without any mis-selling label")
        if conversation.pair:
            pairs.setdefault(conversation.pair, []).append(conversation)
    for name, members in pairs.items():
        if len(members) != 2 or members[0].severity == members[1].severity:
            raise CorpusError(f"pair {name} is not two conversations of different severity")

"""Plain text in which each turn opens with who speaks: `Agent: …`, `**Customer:** …`, `[00:01] Rep: …`.

A name before a colon opens a turn if it is on the table of `app.transcripts.speakers`, or if it
looks like a name and either carries a time or opens two lines or more. So `One thing: …`,
`https://…` and `10:30` are words, and so is a single `Note: …`. What stands before the first turn
is a title and left out; a line that opens no turn goes on with the one before it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.core.conversation import Conversation, Role, Turn
from app.transcripts.document import Document
from app.transcripts.reader import Entry, Rank, Reader
from app.transcripts.speakers import are_agent_and_customer, is_well_known

# Lengths are bounded so that no line, however long, takes more than a time that grows with it.
_TIME = r"(?:(\d{1,2}):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,3}))?(?:\s?([AaPp])\.?[Mm]\.?)?"
_BULLET = re.compile(r"[-*•>]\s+")
_OPENING_TIME = re.compile(rf"[\[(<]\s?{_TIME}\s?[\])>]|{_TIME}(?=[\s\-–—|])")
_ONLY_TIME = re.compile(rf"\s?{_TIME}\s?")
# A date or the like in brackets, of which no offset can be told.
_OPENING_BRACKET = re.compile(r"\[[^\]\[]{0,20}\d[^\]\[]{0,20}\]")
_AFTER_TIME = " \t-–—|"
_MARKS = r"(\*\*|__|\*)?"
_LABEL = re.compile(
    rf"{_MARKS}([^:\[\](){{}}<>*]{{1,60}})(?:[\[(]([^\[\]()]{{1,40}})[\])][ \t]?)?{_MARKS}:{_MARKS}(?!//)"
)
_NAME_WORD = re.compile(r"[^\W_][\w'’.\-&]*")
_MOST_NAME_WORDS = 4
# Words that open lines of speech, notes and letterheads in pairs, as two speakers do.
_NOT_NAME_WORDS = (
    "address agenda answer caution conclusion cons cost costs date deadline definition disclaimer discount duration "
    "email example fee fees ftp http https important item link location mailto monthly name no note notes option "
    "outcome page part phase phone plan plus point points price pros ps question reason re remember reminder result "
    "section step subject sum summary tel terms time tip title topic total transcript update url warning website "
    "yes"
)
_NOT_NAMES = frozenset(_NOT_NAME_WORDS.split())


class _Opening(NamedTuple):
    """A line that may open a turn: `speaker: text`, with the time before or after the name if any."""

    speaker: str
    text: str
    time_ms: int | None
    timed: bool
    glued: bool


@dataclass(slots=True)
class _Spoken:
    speaker: str
    time_ms: int | None
    line: int
    lines: list[str] = field(default_factory=list)


def _milliseconds(groups: Sequence[str | None]) -> int | None:
    """The offset of a time; `None` for a time of day, and where there is none."""
    hours, minutes, seconds, fraction, half_of_day = groups
    if minutes is None or seconds is None or half_of_day:
        return None
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1000 + int((fraction or "0").ljust(3, "0"))


def _without_time(line: str) -> tuple[str, int | None, bool]:
    """The line without bullet and opening time, the time, and whether there was one."""
    rest = line.strip()
    # Most lines open with a letter, and are none of these.
    if rest[:1].isalpha():
        return rest, None, False
    if bullet := _BULLET.match(rest):
        rest = rest[bullet.end() :]
    if match := _OPENING_TIME.match(rest):
        bracketed, bare = match.groups()[:5], match.groups()[5:]
        time_ms = _milliseconds(bare if bracketed[1] is None else bracketed)
        return rest[match.end() :].lstrip(_AFTER_TIME), time_ms, True
    if match := _OPENING_BRACKET.match(rest):
        return rest[match.end() :].lstrip(_AFTER_TIME), None, True
    return rest, None, False


def _opening(line: str) -> _Opening | None:
    if ":" not in line:
        return None
    rest, time_ms, timed = _without_time(line)
    match = _LABEL.match(rest)
    if not match:
        return None
    opened, label, bracket, before, after = match.groups()
    speaker, text = label.strip(" \t_"), rest[match.end() :]
    glued = bool(text) and not text[0].isspace()
    if opened and not before and not after:
        text = text.rstrip().removesuffix(opened)
    if bracket is not None:
        if inner := _ONLY_TIME.fullmatch(bracket):
            time_ms, timed = _milliseconds(inner.groups()), True
        else:
            speaker = f"{speaker} ({bracket.strip()})"
    return _Opening(speaker, text.strip(), time_ms, timed, glued) if label.strip(" \t_") else None


def _bare(speaker: str) -> str:
    """`Agent` of `Agent (Jo)`."""
    return speaker.partition(" (")[0]


def _looks_like_name(speaker: str) -> bool:
    words = _bare(speaker).split()
    if not 1 <= len(words) <= _MOST_NAME_WORDS or words[0].casefold().rstrip(".0123456789") in _NOT_NAMES:
        return False
    return all(_NAME_WORD.fullmatch(word) and not word[0].islower() for word in words) and not words[0].isdigit()


def _openers(openings: Sequence[_Opening | None]) -> list[_Opening | None]:
    """Each line's opening if it does open a turn, else `None`."""
    speakers = {item.speaker for item in openings if item}
    well_known = {speaker for speaker in speakers if is_well_known(_bare(speaker))}
    name_like = {speaker for speaker in speakers if _looks_like_name(speaker)}
    # What is glued to its colon, as `C:\Users` is, opens a turn only after a well-known name.
    names = Counter(item.speaker for item in openings if item and not item.glued and item.speaker in name_like)
    letters = {name for name in names if len(name) == 1}

    def opens(item: _Opening) -> bool:
        if item.speaker in well_known:
            return True
        if item.glued or item.speaker not in names:
            return False
        return item.timed or names[item.speaker] > 1 or (len(item.speaker) == 1 and are_agent_and_customer(letters))

    return [item if item and opens(item) else None for item in openings]


def _spoken(document: Document) -> list[_Spoken]:
    openings = _openers([_opening(line) for line in document.lines])
    found: list[_Spoken] = []
    for number, (line, opening) in enumerate(zip(document.lines, openings, strict=True), 1):
        if opening:
            found.append(_Spoken(opening.speaker, opening.time_ms, number, [opening.text]))
        elif found and any(character.isalnum() for character in line):
            found[-1].lines.append(_continuation(line.strip()))
    return found


def _continuation(line: str) -> str:
    """What a line that opens no turn says: a time alone, or in brackets before words, is not said."""
    if _ONLY_TIME.fullmatch(line):
        return ""
    return _without_time(line)[0] if line.startswith(("[", "(", "<")) else line


def conversation_in(document: Document) -> Conversation | None:
    """The conversation that a document is, if it is one. Raises `UnreadableTranscript` as `Document.text` does."""
    if READER.name not in document.found:
        document.found[READER.name] = _conversation(document)
    found: Conversation | None = document.found[READER.name]
    return found


def _conversation(document: Document) -> Conversation | None:
    # An arrow between two times is a subtitle's: its cue numbers would be read as words.
    if document.text.lstrip().startswith("{") or "-->" in document.text:
        return None
    turns: list[Turn] = []
    for item in _spoken(document):
        if text := "\n".join(line for line in item.lines if line):
            index = str(len(turns))
            pointer = f"line {item.line}"
            turns.append(Turn(index, Role.UNKNOWN, text, item.time_ms, speaker=item.speaker, pointer=pointer))
    return Conversation(tuple(turns)) if turns else None


def _recognises(document: Document) -> bool:
    return conversation_in(document) is not None


def _read(document: Document) -> Iterator[Entry]:
    conversation = conversation_in(document)
    if conversation:
        yield Entry(conversation)


READER = Reader("plain_text", "Plain text", _recognises, _read, Rank.FALLBACK)

"""Columns of tables of turns, be they CSV, Parquet or lists of objects: which one holds what.

They are found by name, whatever its case, spaces, hyphens and underscores; the first alias of a line
below goes first. The unit of a time may stand at the end of its column's name (`start_ms`, `start (sec)`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple

HOW_TO_NAME = "name the columns in its first row, such as speaker, text, start and conversation_id"


class Column(StrEnum):
    """What a column holds. `ID` is a turn's or a conversation's, which only its values tell."""

    TEXT = "text"
    SPEAKER = "speaker"
    ROLE = "role"
    START = "start"
    END = "end"
    DURATION = "duration"
    CONVERSATION = "conversation"
    TURN = "turn"
    CHANNEL = "channel"
    CONFIDENCE = "confidence"
    ID = "id"


_ALIASES = {
    Column.TEXT: "text utterance utterancetext turntext messagetext message content body transcripttext transcript "
    "transcription sentence sentencetext phrase segmenttext displaytext msg speech caption dialogue dialog "
    "dialoguetext line linetext chatmessage comment said words statement",
    Column.SPEAKER: "speaker speakername speakerlabel speakerid speakertag interlocutor participantname participant "
    "participantid author authorname sendername sender senderid sentby from fromname displayname username talker "
    "actor party person who name nickname user userid identity",
    Column.ROLE: "role speakerrole participantrole participanttype speakertype authorrole authortype senderrole "
    "sendertype partyrole partytype usertype userrole roletype side",
    Column.START: "start starttime startoffset starttimestamp startedat startat begin begintime beginoffset "
    "beginoffsetmillis audiostart utterancestart turnstart segmentstart offset timestamp time timecode ts datetime "
    "createdat created sentat senttime messagetime messagetimestamp date",
    Column.END: "end endtime endoffset endtimestamp endedat endat endoffsetmillis audioend utteranceend turnend "
    "segmentend stop stoptime finish finishtime",
    Column.DURATION: "duration dur length",
    Column.CONVERSATION: "conversationid conversation convid convoid callid callsid contactid transcriptid sessionid "
    "dialogueid dialogid interactionid chatid threadid recordingid conversationsid meetingid ticketid caseid "
    "documentid docid fileid filename file audiofile call session ticket",
    Column.TURN: "turnid utteranceid messageid msgid segmentid sentenceid lineid rowid turnnumber turnindex turnno "
    "utteranceindex messageindex sequencenumber sequence seq turn index idx linenumber lineno sid order position",
    Column.CHANNEL: "channel channelid channeltag channelnumber channelname channeltype medium media "
    "mediatype track leg",
    Column.CONFIDENCE: "confidence conf confidencescore asrconfidence averageconfidence",
    Column.ID: "id uuid key",
}
_KNOWN = {name: (column, rank) for column, names in _ALIASES.items() for rank, name in enumerate(names.split())}
_TIMED = (Column.START, Column.END, Column.DURATION)
_UNITS = {
    "nanoseconds": 1e-6, "ns": 1e-6, "microseconds": 1e-3, "micros": 1e-3, "usec": 1e-3, "us": 1e-3,
    "milliseconds": 1.0, "millis": 1.0, "msec": 1.0, "ms": 1.0,
    "seconds": 1000.0, "secs": 1000.0, "sec": 1000.0,
    "minutes": 60_000.0, "mins": 60_000.0, "min": 60_000.0,
}  # fmt: skip
_SECONDS = re.compile(r"[^a-zA-Z]s\)?$")


def plain_name(name: str) -> str:
    """A column's name by which it is found: letters and digits alone, in lower case."""
    return "".join(filter(str.isalnum, name.casefold()))


def column_of(name: str) -> tuple[Column, int, float | None] | None:
    """What the column of a name holds, its rank among the names of that, and the unit of its times in milliseconds."""
    plain = plain_name(name)
    if plain in _KNOWN:
        return (*_KNOWN[plain], None)
    units = [*_UNITS.items(), *([("s", 1000.0)] if _SECONDS.search(name.strip()) else [])]
    for ending, unit in units:
        column, rank = _KNOWN.get(plain.removesuffix(ending), (None, 0))
        if plain.endswith(ending) and column in _TIMED:
            return column, rank, unit
    return None


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each column stands, by position or name, and the units that names give times."""

    at: Mapping[Column, Any]
    units: Mapping[Column, float] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Iterable[tuple[Any, str]]) -> Columns:
        """The best column for each, of pairs of where it stands and its name."""
        at: dict[Column, Any] = {}
        units: dict[Column, float] = {}
        ranks: dict[Column, int] = {}
        for place, name in names:
            found = column_of(name)
            if found and found[1] < ranks.get(found[0], 1 << 10):
                column, ranks[found[0]], unit = found
                at[column] = place
                units.pop(column, None)
                if unit is not None:
                    units[column] = unit
        return cls(at, units)

    def settled(self, ids: Sequence[Any]) -> Columns:
        """The same with an `id` given to turns or to conversations: to those where its values repeat."""
        if Column.ID not in self.at:
            return self
        at = dict(self.at)
        place = at.pop(Column.ID)
        repeated = any(one == other for one, other in pairwise(ids))
        free = Column.CONVERSATION if repeated or not self.names_speakers else Column.TURN
        at.setdefault(free, place)
        return replace(self, at=at)

    @property
    def names_speakers(self) -> bool:
        """Whether something tells one speaker from the other."""
        return any(column in self.at for column in (Column.SPEAKER, Column.ROLE, Column.CHANNEL))


class Row(NamedTuple):
    """One row, its cells as the source has them; `where` is a line or a pointer."""

    where: str
    text: Any = None
    speaker: Any = None
    role: Any = None
    start: Any = None
    end: Any = None
    duration: Any = None
    conversation: Any = None
    turn: Any = None
    channel: Any = None
    confidence: Any = None


CELLS = tuple(Column(name) for name in Row._fields[1:])


def label_of(value: Any) -> str | None:
    """A cell as a label or an id: a text, a whole number, or the name in an object."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, dict):
        names = ("name", "displayName", "display_name", "label", "username", "email", "id", "role", "type")
        return next((found for name in names if not isinstance(value.get(name), dict | list)
                     and (found := label_of(value.get(name)))), None)  # fmt: skip
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63:
        return str(value)
    return None

"""Genesys Cloud: the transcript of a communication, as its transcript URL gives it after the end.

    {"conversationId": "…", "mediaType": "call", "conversationStartTime": 1749243600000,
     "participants": [{"participantPurpose": "ivr", "startTimeMs": …, "endTimeMs": …},
                      {"participantPurpose": "agent", "userId": "…", "startTimeMs": …, "endTimeMs": …}],
     "transcripts": [{"phrases": [{"phraseIndex": 0, "participantPurpose": "internal", "text": "…",
        "decoratedText": "…", "startTimeMs": …, "duration": {"milliseconds": 900}, "words": [ … ]}],
        "analytics": {"topics": [{"topicName": "…"}]}}]}

A phrase says no more than `internal` or `external`. An `internal` one is a prompt of an IVR or of a
queue as well as an agent, one of several after a transfer: who it was is told by who of `participants`
was on the line when it began. Of two who were, it is whoever left first, since who takes over is put
on the line, and may be ringing still, before the other leaves. Where that tells nobody, the speaker
is `internal` with an unknown role.

The punctuated text is in `decoratedText`, which the published schema lacks. Times are milliseconds
since 1970 and become offsets from the start of the conversation; phrases are put in their order.

Source: https://developer.genesys.cloud/analyticsdatamanagement/speechtextanalytics/transcript-url
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any, NamedTuple

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut
from app.transcripts.shared.fields import has, label, labels, once, stated, time_ms, words
from app.transcripts.shared.spoken import Spoken, from_origin, in_order
from app.transcripts.tree import Node

_ROLES = dict.fromkeys(("external", "customer"), Role.CUSTOMER)
_ROLES |= dict.fromkeys(("agent", "user"), Role.AGENT)
_ROLES |= dict.fromkeys(("ivr", "acd", "bot", "botflow", "fax", "voicemail", "workflow"), Role.BOT)
_CHANNELS = {"call": Channel.VOICE, "callback": Channel.VOICE, "voice": Channel.VOICE} | dict.fromkeys(
    ("chat", "email", "message", "webchat"), Channel.CHAT
)
_NEVER_MS = 1 << 60


class _Person(NamedTuple):
    """Somebody or something of the company's side, and when it was on the line."""

    start_ms: int
    end_ms: int
    role: Role
    name: str


def _recognises(value: Any) -> bool:
    transcripts = value.get("transcripts") if isinstance(value, dict) else None
    return isinstance(transcripts, list) and any(has(item, "phrases") for item in transcripts[:3])


def _staff(root: Node) -> list[_Person]:
    found = []
    for node in root["participants"].items():
        purpose = (label(node, "participantPurpose") or "").lower()
        user = label(node, "userId")
        role = _ROLES.get(purpose, Role.AGENT if user else Role.BOT if label(node, "flowId") else Role.UNKNOWN)
        if role in (Role.AGENT, Role.BOT):
            start_ms, end_ms = time_ms(node, "startTimeMs"), time_ms(node, "endTimeMs")
            name = user if role is Role.AGENT and user else purpose or "internal"
            found.append(_Person(start_ms or 0, _NEVER_MS if end_ms is None else end_ms, role, name))
    return found


class _Line:
    """Who of the company's side spoke when; asked once a phrase, so that it is worked out beforehand."""

    def __init__(self, staff: list[_Person]) -> None:
        self._times = sorted({time for person in staff for time in (person.start_ms, person.end_ms)})
        self._there: list[_Person | None] = []
        coming = sorted(staff, reverse=True)
        present: list[tuple[int, int, _Person]] = []
        for time in self._times:
            while coming and coming[-1].start_ms <= time:
                person = coming.pop()
                heappush(present, (person.end_ms, -person.start_ms, person))
            while present and present[0][0] <= time:
                heappop(present)
            self._there.append(present[0][2] if present else None)
        # A lone agent, whose times may be off by a little, can be mistaken for nobody else.
        names = {(person.role, person.name) for person in staff}
        self._only = staff[0] if len(names) == 1 and staff[0].role is Role.AGENT else None

    def at(self, time_ms: int | None) -> _Person | None:
        """Who spoke; at the moment at which the last one leaves, that one."""
        if time_ms is None:
            return self._only
        index = bisect_right(self._times, time_ms) - 1
        found = self._there[index] if index >= 0 else None
        if found is None and index > 0 and self._times[index] == time_ms:
            found = self._there[index - 1]
        return found or self._only


def _duration_ms(phrase: Node) -> int | None:
    duration = phrase["duration"]
    if isinstance(duration.value, dict):
        return time_ms(duration, "milliseconds")
    return time_ms(phrase, "durationMs") if duration.value is None else time_ms(phrase, "duration")


def _start_ms(phrase: Node, transcript_ms: int | None) -> int | None:
    start_ms = time_ms(phrase, "startTimeMs")
    offset = phrase["offset"]
    if start_ms is None and isinstance(offset.value, dict):
        offset_ms = time_ms(offset, "milliseconds")
        return None if offset_ms is None else offset_ms + (transcript_ms or 0)
    return start_ms


def _read(root: Node) -> Iterator[Entry]:
    staff = _staff(root)
    line = _Line(staff)
    found: list[Spoken] = []
    left_out: list[LeftOut] = []
    for transcript in root["transcripts"]:
        transcript_ms = time_ms(transcript, "startTime")
        place = transcript["phrases"].pointer
        for index, phrase in enumerate(transcript["phrases"].items()):
            pointer = f"{place}/{index}"
            text = words(phrase, "decoratedText", "text")
            if text is None:
                left_out.append(LeftOut(pointer, "no words"))
                continue
            start_ms = _start_ms(phrase, transcript_ms)
            duration_ms = _duration_ms(phrase)
            end_ms = None if start_ms is None or duration_ms is None else start_ms + duration_ms
            name = label(phrase, "participantPurpose")
            purpose = (name or "").lower()
            role = _ROLES.get(purpose, Role.UNKNOWN)
            if purpose == "internal" and (person := line.at(start_ms)):
                role, name = person.role, person.name
            id_ = label(phrase, "phraseIndex")
            confidence = phrase["confidence"].share()
            found.append(Spoken(role, text, start_ms, end_ms, name, pointer, id_, confidence))
    conversation = Conversation(
        in_order(from_origin(found, time_ms(root, "conversationStartTime"))),
        id=label(root, "conversationId") or label(root, "communicationId"),
        channel=_CHANNELS.get((label(root, "mediaType") or "").lower()),
        metadata=stated(
            communication=label(root, "communicationId"),
            language=next(iter(labels(root, "transcripts", "language")), None),
            queues=", ".join(labels(root, "participants", "queueId")),
            agents=", ".join(once(person.name for person in staff if person.role is Role.AGENT)),
        ),
        source_categories=labels(root, "transcripts", "analytics", "topics", "topicName"),
    )
    yield Entry(conversation, left_out=tuple(left_out))


READER = JsonReader("genesys_cloud", "Genesys Cloud transcripts", _recognises, _read)

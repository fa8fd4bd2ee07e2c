"""Amazon Connect Contact Lens in real time: the events of its Kinesis stream, or the pages of its API.

    {"ContactId": "…", "Channel": "VOICE", "EventType": "SEGMENTS", "Segments": [
        {"Utterance": {"Id", "TranscriptId", "ParticipantRole", "PartialContent", "BeginOffsetMillis", …}},
        {"Transcript": {"Id", "ParticipantRole", "Content", "BeginOffsetMillis", "EndOffsetMillis"}},
        {"Categories": {"MatchedCategories": []}}, {"PostContactSummary": {}}]}

One event alone, a list, one a line, or one after the other without line ends, as Firehose stores
them; those of one `ContactId` make one conversation. An answer of ListRealtimeContactAnalysisSegments
has `Segments` and `NextToken` and no `ContactId`: all such answers of a document are one conversation.
An utterance is a piece of a transcript that is still to come, which names it by `TranscriptId`; older
streams do not, and then a transcript of the same speaker that spans it replaces it. Events may come
twice, as Kinesis delivers them; the last of one `Id` counts. A chat has `StreamingEventType` and
messages with `AbsoluteTime`, within `Time` in the API. Turns are sorted by their start. All events are
held in memory, since those of several contacts come mixed.
Source: Amazon Connect Administrator Guide, "Data model for conversational analytics segment streams";
API Reference, ListRealtimeContactAnalysisSegments and its V2.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.core.errors import UnreadableTranscript
from app.transcripts.document import NO_JSON, Document
from app.transcripts.reader import Entry, LeftOut, Reader
from app.transcripts.shared.amazon import chat_turn, matched_categories, who, why_no_turn
from app.transcripts.shared.fields import label, stated
from app.transcripts.shared.spoken import Spoken, from_origin, in_order
from app.transcripts.tree import Node

_EVENTS = ("STARTED", "SEGMENTS", "COMPLETED", "FAILED")
_OTHERS = {
    "PostContactSummary": "a summary, not said",
    "Attachments": "an attachment",
    "Event": "an event",
    "Events": "an event",
    "Issues": "issues found, not said",
}
_SEGMENTS = frozenset({"Utterance", "Transcript", "Categories", *_OTHERS})
_KEYS = frozenset({"Segments", "EventType", "StreamingEventType"})
_DATED = "AbsoluteTime"
_decode = json.JSONDecoder().raw_decode


def _is_event(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    kind = value.get("EventType", value.get("StreamingEventType"))
    if isinstance(kind, str) and kind in _EVENTS and "ContactId" in value:
        return True
    segments = value.get("Segments")
    return isinstance(segments, list) and any(
        isinstance(segment, dict) and not _SEGMENTS.isdisjoint(segment) for segment in segments[:5]
    )


def _line_values(line: bytes) -> Iterator[Any]:
    """The JSON values of a line. Raises `ValueError`, also for bytes that are no text, and `RecursionError`."""
    text = line.decode("utf-8").strip()
    position = 0
    while position < len(text):
        value, position = _decode(text, position)
        yield value
        while position < len(text) and text[position] in " \t,":
            position += 1


def _recognises(document: Document) -> bool:
    if not document.begins_like_json or not any(f'"{key}"' in document.head for key in _KEYS):
        return False
    if document.json is not NO_JSON:
        value = document.json
        return _is_event(value) or (isinstance(value, list) and any(_is_event(item) for item in value[:5]))
    for number, line in document.each_line():
        if isinstance(line, UnreadableTranscript) or number > 5:
            return False
        try:
            if any(_is_event(value) for value in _line_values(line)):
                return True
        except (ValueError, RecursionError):
            continue
    return False


def _events(document: Document) -> Iterator[tuple[Node | UnreadableTranscript, int | None]]:
    """Each event or page, with its line where it has one."""
    if document.json is not NO_JSON:
        root = Node(document.json)
        yield from ((node, None) for node in (root if isinstance(root.value, list) else [root]))
        return
    for number, line in document.each_line():
        if isinstance(line, UnreadableTranscript):
            yield line, number
            continue
        try:
            yield from ((Node(value), number) for value in _line_values(line))
        except (ValueError, RecursionError):
            yield UnreadableTranscript(f"line {number}: not valid JSON; write one event on one line"), number


@dataclass(slots=True)
class _Contact:
    """What is known of a contact so far: its turns by the source's id of them."""

    finals: dict[str, Spoken] = field(default_factory=dict)
    partials: dict[str, Spoken] = field(default_factory=dict)
    transcript_ids: dict[str, str | None] = field(default_factory=dict)
    categories: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    language: str | None = None
    is_chat: bool = False
    error: UnreadableTranscript | None = None

    def take(self, event: Node, line: int | None) -> None:
        """Add an event. Raises `UnreadableTranscript` if it is broken."""
        self.language = label(event, "LanguageCode") or self.language
        self.is_chat = self.is_chat or label(event, "Channel") == "CHAT"
        if (label(event, "EventType") or label(event, "StreamingEventType")) not in (None, "SEGMENTS"):
            self.left_out.append(LeftOut(_where(event, line), "an event, no words"))
        for segment in event["Segments"].items():
            if segment["Transcript"].value is not None:
                self._take_words(segment["Transcript"], "Content", line)
            if segment["Utterance"].value is not None:
                self._take_words(segment["Utterance"], "PartialContent", line)
            self.categories += matched_categories(segment)
            self.left_out += [
                LeftOut(_where(segment, line), why) for name, why in _OTHERS.items() if name in segment.value
            ]

    def _take_words(self, node: Node, field_of_text: str, line: int | None) -> None:
        is_final = field_of_text == "Content"
        text = node[field_of_text].optional_text()
        is_message = (
            is_final and node["BeginOffsetMillis"].value is None and ("Time" in node.value or _DATED in node.value)
        )
        reason = why_no_turn(node) if is_message else None if text and text.strip() else "no words"
        if reason or not text:
            self.left_out.append(LeftOut(_where(node, line), reason or "no words"))
            return
        if is_message:
            self.is_chat = True
            turn = chat_turn(node, {})
        else:
            role, speaker = who(node, {})
            start_ms, end_ms = node.milliseconds_at("BeginOffsetMillis"), node.milliseconds_at("EndOffsetMillis")
            turn = Spoken(role, text, start_ms, end_ms, speaker, "", is_final=is_final)
        kept = self.finals if is_final else self.partials
        id_ = node.label_at("Id") or f"number {len(kept)}"
        if id_ in kept:
            self.left_out.append(LeftOut(kept[id_].pointer, "came again; the last one counts"))
        kept[id_] = turn._replace(id=id_, pointer=_where(node, line))
        if not is_final:
            self.transcript_ids[id_] = node.label_at("TranscriptId")

    def entry(self, id_: str | None) -> Entry:
        """The conversation, or what is wrong with it."""
        if self.error:
            return Entry(self.error)
        found = [*self.finals.values(), *self._pending()]
        conversation = Conversation(
            in_order(from_origin(found)),
            id=id_,
            channel=Channel.CHAT if self.is_chat else Channel.VOICE,
            metadata=stated(language=self.language),
            source_categories=tuple(dict.fromkeys(self.categories)),
        )
        return Entry(conversation, left_out=tuple(self.left_out))

    def _pending(self) -> list[Spoken]:
        """The partial turns that nothing has replaced."""
        spans: dict[tuple[Role, str | None], list[tuple[int, int]]] = {}
        for turn in self.finals.values():
            if turn.start_ms is not None and turn.end_ms is not None:
                spans.setdefault((turn.role, turn.speaker), []).append((turn.start_ms, turn.end_ms))
        for found in spans.values():
            found.sort()
        # A later piece that begins where an earlier one did is the same words, heard better.
        latest = {(turn.role, turn.speaker, turn.start_ms or id_): id_ for id_, turn in self.partials.items()}
        pending: list[Spoken] = []
        for id_, turn in self.partials.items():
            final = self.transcript_ids[id_]
            is_spanned = final is None and _is_spanned(turn, spans.get((turn.role, turn.speaker), []))
            if final in self.finals or id_ in self.finals or is_spanned:
                self.left_out.append(LeftOut(turn.pointer, "partial, replaced by a final one"))
            elif latest[turn.role, turn.speaker, turn.start_ms or id_] != id_:
                self.left_out.append(LeftOut(turn.pointer, "partial, replaced by a later one"))
            else:
                pending.append(turn)
        return pending


def _where(node: Node, line: int | None) -> str:
    return node.pointer if line is None else f"line {line}"


def _is_spanned(turn: Spoken, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether the middle of a turn is within the last of the sorted spans that begins before it."""
    if turn.start_ms is None or turn.end_ms is None:
        return False
    middle = (turn.start_ms + turn.end_ms) / 2
    index = bisect_right(spans, (middle, math.inf)) - 1
    return index >= 0 and spans[index][1] >= middle


def _read(document: Document) -> Iterator[Entry]:
    contacts: dict[str | None, _Contact] = {}
    for event, line in _events(document):
        try:
            if isinstance(event, UnreadableTranscript):
                raise event
            value = event.value
            if not isinstance(value, dict) or _KEYS.isdisjoint(value):
                raise _at(line, event.error("is no event of Contact Lens"))
        except UnreadableTranscript as error:
            yield Entry(error, line)
            continue
        contact = contacts.setdefault(label(event, "ContactId"), _Contact())
        try:
            contact.take(event, line)
        except UnreadableTranscript as error:
            contact.error = contact.error or _at(line, error)
    yield from (contact.entry(id_) for id_, contact in contacts.items())


def _at(line: int | None, error: UnreadableTranscript) -> UnreadableTranscript:
    return error if line is None else UnreadableTranscript(f"line {line}: {error}")


READER = Reader("contact_lens_realtime", "Amazon Connect Contact Lens, real time", _recognises, _read)

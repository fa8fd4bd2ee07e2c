"""Genesys Cloud: notifications of the topic `v2.conversations.{id}.transcription`, one or a list of them.

    {"topicName": "v2.conversations.….transcription", "version": "2", "eventBody": {
       "conversationId": "…", "communicationId": "…", "sessionStartTimeMs": …, "transcriptionStartTimeMs": …,
       "transcripts": [{"utteranceId": "…", "isFinal": true, "channel": "INTERNAL", "alternatives":
          [{"confidence": 0.6, "offsetMs": 23460, "durationMs": 1040, "transcript": "…",
            "decoratedTranscript": "…", "words": [ … ]}]}],
       "status": {"status": "SESSION_ONGOING", "offsetMs": 0}}}

The same message comes through Amazon EventBridge as `detail`, and is often kept without its envelope.
All messages of one `conversationId` are one conversation, be they of several communications, which a
transfer makes; their offsets count from their own start. Every five minutes a message without
`transcripts` says that the session goes on. `EXTERNAL` is the customer; `INTERNAL` is an agent or an
IVR, and nothing tells which, so that its role stays unknown. Lines of JSON are otherwise conversations
of their own, but messages that stand one a line make one as well, and have the same format's name.

Source: https://developer.genesys.cloud/analyticsdatamanagement/speechtextanalytics/transcription-notifications
and the TranscriptionTopic models of the platform's client libraries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.reader import Entry, JsonReader, Reader
from app.transcripts.shared.genesys import Listener, is_envelope, is_message
from app.transcripts.shared.messages import FIRST_LINES, line_values
from app.transcripts.tree import Node

_NAME = "genesys_notification"
_MOST_HEARTBEATS = 100
_MARKS = ('"topicName"', '"eventBody"', '"alternatives"', '"transcriptionStartTimeMs"', '"sessionStartTimeMs"')


def _opens_with_message(values: Iterable[Any]) -> bool:
    """Whether a message with words is the first after any other notifications."""
    for value in values:
        if is_message(value):
            return True
        if not is_envelope(value):
            return False
    return False


def _recognises(value: Any) -> bool:
    return _opens_with_message(value[:_MOST_HEARTBEATS] if isinstance(value, list) else [value])


def _recognises_lines(document: Document) -> bool:
    if not any(mark in document.head for mark in _MARKS) or not document.is_json_lines:
        return False
    return _opens_with_message(value for _, value in islice(line_values(document), FIRST_LINES))


def _read(node: Node) -> Iterator[Entry]:
    listener = Listener()
    for item in node if isinstance(node.value, list) else [node]:
        try:
            listener.hear(item)
        except UnreadableTranscript as error:
            yield Entry(error)
    yield from listener.entries()


def _read_lines(document: Document) -> Iterator[Entry]:
    listener = Listener()
    for number, value in line_values(document):
        if isinstance(value, UnreadableTranscript):
            yield Entry(value, number)
            continue
        try:
            listener.hear(Node(value), f"line {number}")
        except UnreadableTranscript as error:
            yield Entry(UnreadableTranscript(f"line {number}: {error}"), number)
    yield from listener.entries()


READERS = (
    JsonReader(_NAME, "Genesys Cloud transcription notifications", _recognises, _read),
    Reader(_NAME, "Genesys Cloud transcription notifications, one a line", _recognises_lines, _read_lines),
)

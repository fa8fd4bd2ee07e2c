"""Genesys Cloud's transcription notifications, whether they stand in a list or one a line.

What a message says may be corrected by a later one: `utteranceId` tells which utterance it is, and
`isFinal` whether it may still change. A message is sent at least once, so that it may come twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, LeftOut
from app.transcripts.shared.fields import has, inside, label, stated, time_ms, words
from app.transcripts.shared.spoken import Spoken, in_order
from app.transcripts.tree import Node

_TOPIC = ".transcription"
_CLOCKS = ("transcriptionStartTimeMs", "sessionStartTimeMs")


def _is_topic(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("v2.conversations.") and value.endswith(_TOPIC)


def is_envelope(value: Any) -> bool:
    """Whether a value is a notification of any topic, such as the heartbeats between the messages."""
    return has(value, "topicName") or (has(value, "detail") and has(value["detail"], "eventBody"))


def _body(node: Node) -> Node:
    """The message in its envelope: of the notification channel, of EventBridge, or none."""
    inner = inside(node, "detail")
    inner = inner if has(inner.value, "eventBody") else node
    return inner["eventBody"] if has(inner.value, "eventBody") else inner


def is_message(value: Any) -> bool:
    """Whether a value is a message of the transcription topic, in its envelope or alone."""
    if not isinstance(value, dict):
        return False
    detail = value.get("detail")
    inner = detail if isinstance(detail, dict) and "eventBody" in detail else value
    if _is_topic(inner.get("topicName")) or _is_topic(value.get("detail-type")):
        return has(inner, "eventBody")
    if has(inner, "topicName"):
        return False
    body = inner.get("eventBody", inner)
    if not isinstance(body, dict) or "conversationId" not in body:
        return False
    results = body.get("transcripts")
    listed = results[:3] if isinstance(results, list) else [body.get("transcript")]
    if any(has(item, "alternatives") and (has(item, "channel") or has(item, "utteranceId")) for item in listed):
        return True
    return has(body, "communicationId") and any(clock in body for clock in _CLOCKS) and not results


class _Key(NamedTuple):
    """What tells an utterance from all others of a conversation."""

    communication: str | None
    utterance: str
    channel: str | None = None


@dataclass(slots=True)
class _Heard:
    """A conversation as far as it has been heard; starts are points in time where the message tells its clock."""

    id: str | None
    utterances: dict[_Key, tuple[Spoken, int | None]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    language: str | None = None

    def entry(self) -> Entry:
        clocks = [clock for _, clock in self.utterances.values() if clock is not None]
        first = min(clocks, default=0)
        found = []
        for spoken, clock in self.utterances.values():
            late_ms = 0 if clock is None else clock - first
            start_ms = None if spoken.start_ms is None else spoken.start_ms + late_ms
            end_ms = None if spoken.end_ms is None else spoken.end_ms + late_ms
            found.append(spoken._replace(start_ms=start_ms, end_ms=end_ms))
        metadata = stated(language=self.language)
        return Entry(Conversation(in_order(found), self.id, Channel.VOICE, metadata), left_out=tuple(self.left_out))


class Listener:
    """Takes messages in the order in which they came, and gives each conversation once, whole."""

    def __init__(self) -> None:
        self._heard: dict[str | None, _Heard] = {}
        self._other: list[LeftOut] = []

    def hear(self, node: Node, place: str | None = None) -> None:
        """Take a message; one of another topic is left out.

        Args:
            node: the message, or its envelope.
            place: where it stands, if its path does not tell that.

        Raises:
            UnreadableTranscript: if it is broken, or no notification at all.
        """
        if not is_message(node.value):
            if not is_envelope(node.value):
                raise node.error("must be a notification of Genesys Cloud")
            self._other.append(LeftOut(place or node.pointer, "a notification of another topic"))
            return
        body = _body(node)
        id_ = label(body, "conversationId")
        heard = self._heard.setdefault(id_, _Heard(id_))
        clock = next((time for name in _CLOCKS if (time := time_ms(body, name)) is not None), None)
        communication = label(body, "communicationId")
        results = body["transcripts"].items() or [body["transcript"]]
        if results[0].value is None:
            heard.left_out.append(LeftOut(place or node.pointer, "a message without words"))
            return
        for result in results:
            _hear(heard, result, communication, clock, place or result.pointer)

    def entries(self) -> Iterator[Entry]:
        """The conversations, in the order in which they were first heard of."""
        other = tuple(self._other)
        for heard in self._heard.values():
            if not heard.utterances and not heard.left_out:
                # Its one message was broken, and is an error of its own.
                continue
            entry = heard.entry()
            yield Entry(entry.outcome, left_out=other + entry.left_out)
            other = ()


def _best(result: Node) -> Node | None:
    """The likeliest of the alternatives that have words, the first one of equals."""
    found = [node for node in result["alternatives"].items() if words(node, "decoratedTranscript", "transcript")]
    return max(found, key=lambda node: node["confidence"].share() or 0.0, default=None)


def _hear(heard: _Heard, result: Node, communication: str | None, clock: int | None, place: str) -> None:
    best = _best(result)
    if best is None:
        heard.left_out.append(LeftOut(place, "no words"))
        return
    heard.language = heard.language or label(result, "dialect")
    channel, utterance = label(result, "channel"), label(result, "utteranceId")
    start_ms, duration_ms = time_ms(best, "offsetMs"), time_ms(best, "durationMs")
    spoken = Spoken(
        Role.CUSTOMER if (channel or "").upper() == "EXTERNAL" else Role.UNKNOWN,
        words(best, "decoratedTranscript", "transcript") or "",
        start_ms,
        None if start_ms is None or duration_ms is None else start_ms + duration_ms,
        channel.lower() if channel else None,
        place,
        utterance,
        best["confidence"].share(),
        result["isFinal"].value is not False,
    )
    # One without an id is known by where it begins, and by its place alone if that is not told either.
    key = _Key(communication, utterance) if utterance else _Key(communication, str(start_ms or place), channel)
    before = heard.utterances.get(key)
    if before and before[0].is_final:
        reason = "the same once more" if spoken.is_final else "partial, replaced by a final one"
        heard.left_out.append(LeftOut(place, reason))
        return
    if before:
        reason = "partial, replaced by a final one" if spoken.is_final else "partial, replaced by a later one"
        heard.left_out.append(LeftOut(before[0].pointer, reason))
    heard.utterances[key] = (spoken, clock)

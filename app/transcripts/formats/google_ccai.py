"""Google Cloud CX Insights (CCAI Insights): a conversation as it is uploaded, and as the API gives it back.

    {"conversation_info": {"categories": [{"display_name": "…"}]},
     "entries": [{"text": "…", "role": "AGENT", "user_id": 2, "start_timestamp_usec": 1000000}]}

    {"name": "projects/…/conversations/…", "medium": "PHONE_CALL", "startTime": "2024-05-01T10:00:00Z",
     "transcript": {"transcriptSegments": [{"text": "…", "messageTime": "…", "channelTag": 1, "confidence": 0.9,
        "segmentParticipant": {"role": "HUMAN_AGENT", "userId": "…"},
        "words": [{"word": "…", "startOffset": "1.200s", "endOffset": "1.500s"}]}]}}

The second is one `Conversation` of the API or a page of them in `conversations`, with names in either
case, as the Python client writes them too. `user_id` tells several agents of one call apart; an
`AUTOMATED_AGENT` is a bot, and `ANY_AGENT` may be one. Without a participant the channels of
`callMetadata` tell who spoke. A confidence of 0 means that there is none.

Times are microseconds, points in time or offsets; in the API's form they are the words' offsets,
else `messageTime`. All become offsets from the start; turns are put in their order.

Source: https://cloud.google.com/contact-center/insights/docs/conversation-data-format and the
reference of `projects.locations.conversations`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut, each
from app.transcripts.shared.fields import has, inside, label, labels, stated, time_ms, words
from app.transcripts.shared.spoken import Spoken, from_origin, in_order
from app.transcripts.shared.times import iso_ms
from app.transcripts.tree import Node

# The API's numbers stand for the same roles, where a client writes enumerations as numbers.
_ROLES = dict.fromkeys(("AGENT", "HUMAN_AGENT", "1"), Role.AGENT)
_ROLES |= dict.fromkeys(("CUSTOMER", "END_USER", "3"), Role.CUSTOMER)
_ROLES |= dict.fromkeys(("AUTOMATED_AGENT", "2"), Role.BOT)
_UPLOAD_ROLES = frozenset({"AGENT", "CUSTOMER", "END_USER", "AUTOMATED_AGENT"})
_CHANNELS = {"PHONE_CALL": Channel.VOICE, "1": Channel.VOICE, "CHAT": Channel.CHAT, "2": Channel.CHAT}
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?s")


def _is_upload(value: Any) -> bool:
    entries = value.get("entries") if isinstance(value, dict) else None
    for entry in entries[:3] if isinstance(entries, list) else ():
        if has(entry, "start_timestamp_usec"):
            return True
        if has(entry, "user_id") and isinstance(role := entry.get("role"), str) and role in _UPLOAD_ROLES:
            return True
    return False


def _is_resource(value: Any) -> bool:
    transcript = value.get("transcript") if isinstance(value, dict) else None
    if not isinstance(transcript, dict):
        return False
    segments = transcript.get("transcriptSegments", transcript.get("transcript_segments"))
    return isinstance(segments, list)


def _pages(value: Any) -> list[Any]:
    found = value.get("conversations") if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _recognises(value: Any) -> bool:
    return _is_upload(value) or _is_resource(value) or any(_is_resource(item) for item in _pages(value)[:3])


@cache
def _in_snake_case(name: str) -> str:
    return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name)


def _either(node: Node, name: str) -> Node:
    """A field by its name in camelCase, or else in snake_case."""
    snake = _in_snake_case(name)
    return node[snake] if has(node.value, snake) and not has(node.value, name) else node[name]


def _upload(root: Node) -> Entry:
    found: list[Spoken] = []
    left_out: list[LeftOut] = []
    for index, node in enumerate(root["entries"]):
        text = words(node, "text")
        if text is None:
            left_out.append(LeftOut(f"{root.pointer}/entries/{index}", "no words"))
            continue
        stated_role = label(node, "role") or ""
        start_ms = time_ms(node, "start_timestamp_usec", 0.001)
        speaker = label(node, "user_id") or stated_role or None
        role = _ROLES.get(stated_role.upper(), Role.UNKNOWN)
        found.append(Spoken(role, text, start_ms, None, speaker, f"{root.pointer}/entries/{index}"))
    info = inside(root, "conversation_info")
    conversation = Conversation(
        in_order(from_origin(found)),
        id=label(info, "conversation_id"),
        source_categories=labels(info, "categories", "display_name"),
    )
    return Entry(conversation, left_out=tuple(left_out))


def _offset_ms(word: Node, name: str) -> int | None:
    node = _either(word, name)
    if node.value is None:
        return None
    if not isinstance(node.value, str) or len(node.value) > 20 or not _SECONDS.fullmatch(node.value):
        raise node.error("must be a duration in seconds, such as 1.5s")
    return round(float(node.value[:-1]) * 1000)


def _span(spoken: Node) -> tuple[int | None, int | None]:
    """Where the first of a list of words begins and the last one ends."""
    first = next(iter(spoken), None) if spoken.value else None
    if first is None:
        return None, None
    last = len(spoken.value) - 1
    return _offset_ms(first, "startOffset"), _offset_ms(Node(spoken.value[last], last, spoken), "endOffset")


def _who(segment: Node, call: Node) -> tuple[Role, str | None]:
    participant = _either(segment, "segmentParticipant")
    if isinstance(participant.value, dict):
        name = label(participant, "role") or ""
        role = _ROLES.get(name.upper(), Role.UNKNOWN)
        user = label(_either(participant, "userId")) or label(_either(participant, "obfuscatedExternalUserId"))
        return role, user or name or None
    channel = label(_either(segment, "channelTag"))
    if channel is None:
        return Role.UNKNOWN, None
    by_channel = {label(_either(call, "agentChannel")): Role.AGENT} if isinstance(call.value, dict) else {}
    if isinstance(call.value, dict):
        by_channel[label(_either(call, "customerChannel"))] = Role.CUSTOMER
    return by_channel.get(channel, Role.UNKNOWN), f"channel {channel}"


def _resource(root: Node) -> Entry:
    call = _either(root, "callMetadata")
    segments = _either(root["transcript"], "transcriptSegments")
    found: list[tuple[Spoken, int | None]] = []
    left_out: list[LeftOut] = []
    language: str | None = None
    for index, segment in enumerate(segments):
        pointer = f"{segments.pointer}/{index}"
        text = words(segment, "text")
        if text is None:
            left_out.append(LeftOut(pointer, "no words"))
            continue
        start_ms, end_ms = _span(segment["words"])
        role, speaker = _who(segment, call)
        confidence = segment["confidence"].share() or None
        language = language or label(_either(segment, "languageCode"))
        turn = Spoken(role, text, start_ms, end_ms, speaker, pointer, confidence=confidence)
        found.append((turn, iso_ms(_either(segment, "messageTime"))))
    turns = [turn for turn, _ in found]
    if any(turn.start_ms is None for turn in turns) and any(instant is not None for _, instant in found):
        # One clock for all: the words' offsets give no more than how long a turn lasts.
        turns = [
            turn._replace(
                start_ms=instant,
                end_ms=None
                if instant is None or turn.start_ms is None or turn.end_ms is None
                else instant + max(turn.end_ms - turn.start_ms, 0),
            )
            for turn, instant in found
        ]
        turns = from_origin(turns, iso_ms(_either(root, "startTime")))
    name = label(root, "name")
    analysis = inside(_either(root, "latestAnalysis"), "analysisResult", "callAnalysisMetadata", "issueModelResult")
    conversation = Conversation(
        in_order(turns),
        id=name.rpartition("/")[2] if name else None,
        channel=_CHANNELS.get(label(root, "medium") or "", Channel.VOICE if isinstance(call.value, dict) else None),
        metadata=stated(language=language, agent=label(_either(root, "agentId"))),
        source_categories=labels(analysis, "issues", "displayName"),
    )
    return Entry(conversation, left_out=tuple(left_out))


def _listed(node: Node) -> Entry:
    if not _is_resource(node.value):
        raise node.error("holds no `transcript`; ask the API for the full view")
    return _resource(node)


def _read(node: Node) -> Iterator[Entry]:
    if _is_upload(node.value):
        yield _upload(node)
    elif _is_resource(node.value):
        yield _resource(node)
    else:
        yield from each(node["conversations"], _listed)


READER = JsonReader("google_ccai", "Google Cloud CX Insights", _recognises, _read)

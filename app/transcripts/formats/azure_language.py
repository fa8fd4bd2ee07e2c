"""Azure Language: conversations as they are sent to it to be summarised or searched for personal data.

    {"displayName", "analysisInput": {"conversations": [{"id", "language", "modality": "transcript",
     "conversationItems": [{"participantId", "role", "id", "modality", "text", "lexical", "itn", "maskedItn",
                            "audioTimings": [{"word", "offset", "duration"}]}]}]}, "tasks": […]}

One document holds several conversations; each, or its list of items, may also stand alone. `role` is
`agent`, `customer` or `generic`, and often missing: `participantId` is then all that is known. Timings
are in ticks of 100 ns. See https://learn.microsoft.com/azure/ai-services/language-service/summarization.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut, each
from app.transcripts.shared.fields import label, labels, stated, words
from app.transcripts.shared.spoken import Spoken, numbered
from app.transcripts.tree import Node

_TICK_MS = 1e-4
_TEXTS = ("text", "itn", "maskedItn", "lexical")
_CHANNELS = {"transcript": Channel.VOICE, "text": Channel.CHAT}
_ROLES = {"agent": Role.AGENT, "customer": Role.CUSTOMER}


def _inner(value: Any) -> Any:
    """What holds the conversations."""
    return value["analysisInput"] if isinstance(value, dict) and "analysisInput" in value else value


def _recognises(value: Any) -> bool:
    inner = _inner(value)
    if not isinstance(inner, dict):
        return False
    conversations = inner.get("conversations")
    first = conversations[0] if isinstance(conversations, list) and conversations else inner
    return isinstance(first, dict) and isinstance(first.get("conversationItems"), list)


def _times(item: Node) -> tuple[int | None, int | None]:
    timings = item["audioTimings"].items()
    whole = item["conversationItemLevelTiming"]
    first, last = (timings[0], timings[-1]) if timings else (whole, whole)
    if first.value is None or last.value is None:
        return None, None
    begins, lasts = last["offset"].milliseconds(_TICK_MS), last["duration"].milliseconds(_TICK_MS)
    start = first["offset"].milliseconds(_TICK_MS)
    return start, None if begins is None or lasts is None else begins + lasts


def _spoken(item: Node, text: str) -> Spoken:
    name, participant = label(item, "role"), label(item, "participantId")
    role = _ROLES.get((name or "").casefold(), Role.UNKNOWN)
    return Spoken(role, text, *_times(item), participant or name, item.pointer, label(item, "id"))


def _conversation(node: Node) -> Entry:
    found: list[Spoken] = []
    left_out: list[LeftOut] = []
    for item in node["conversationItems"]:
        text = words(item, *_TEXTS)
        if text:
            found.append(_spoken(item, text))
        else:
            left_out.append(LeftOut(item.pointer, "no words"))
    modality = label(node, "modality") or next(iter(labels(node, "conversationItems", "modality")), None)
    conversation = Conversation(
        numbered(found),
        id=label(node, "id"),
        channel=_CHANNELS.get(modality or ""),
        metadata=stated(language=label(node, "language")),
    )
    return Entry(conversation, left_out=tuple(left_out))


def _read(root: Node) -> Iterator[Entry]:
    inner = root["analysisInput"] if "analysisInput" in root.value else root
    yield from each([inner] if inner["conversations"].value is None else inner["conversations"], _conversation)


READER = JsonReader("azure_language", "Azure Language", _recognises, _read)

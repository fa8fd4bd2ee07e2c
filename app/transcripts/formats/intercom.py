"""Intercom conversations, as its API and its webhooks give them: one, a list of them, or a page.

    {"type": "conversation", "id": "503", "tags": {"tags": [{"name"}]}, "admin_assignee_id": 9,
     "source": {"id", "body": "<p>…</p>", "author": {"type": "user", "id", "name"}},
     "conversation_parts": {"conversation_parts": [{"id", "part_type": "comment", "body", "created_at",
                                                    "author": {"type": "admin"}}]}}

`source` (in old versions `conversation_message`) is the first message; a page of a search has nothing
else. An author is an `admin` or a `team`, a `user`, `lead` or `contact`, or a `bot`. A message whose sending
opened, closed or assigned the conversation has that as its `part_type`, and its body; notes and every
other type are no message, whatever their body. Bodies are HTML, or plain where that was asked for.
Times, in seconds, count from the conversation's start.
Source: https://developers.intercom.com/docs/references/rest-api/api.intercom.io/conversations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut, each
from app.transcripts.shared.fields import inside, label, labels, once, stated, time_ms, words
from app.transcripts.shared.html import plain
from app.transcripts.shared.spoken import Spoken, from_origin, in_order
from app.transcripts.tree import Node

_ROLES = {
    **dict.fromkeys(("admin", "team"), Role.AGENT),
    **dict.fromkeys(("user", "lead", "contact", "visitor"), Role.CUSTOMER),
    "bot": Role.BOT,
}
_MESSAGES = ("comment", "quick_reply", "open", "close", "assignment")
_DELETED = "This message was deleted"


def _is_conversation(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    parts = value.get("conversation_parts")
    if isinstance(parts, dict):
        return True
    if isinstance(parts, list) and parts:
        return isinstance(parts[0], dict) and "part_type" in parts[0]
    first = value.get("source", value.get("conversation_message"))
    return value.get("type") == "conversation" and isinstance(first, dict) and "author" in first


def _conversations(root: Node) -> list[Node]:
    """The conversations of a page, of an event, or the one that this is."""
    value = root.value
    if not isinstance(value, dict) or _is_conversation(value):
        return [root] if _is_conversation(value) else []
    if value.get("type") == "notification_event":
        item = inside(root, "data", "item")
        return [item] if _is_conversation(item.value) else []
    listed = value.get("conversations")
    if not isinstance(listed, list) or not any(_is_conversation(item) for item in listed[:5]):
        return []
    return list(root["conversations"])


def _why_no_turn(part: Node, text: str) -> str | None:
    if part["redacted"].value is True or text == _DELETED:
        return "deleted"
    kind = part["part_type"].value
    if kind is not None and kind not in _MESSAGES:
        return "a note" if isinstance(kind, str) and "note" in kind else "an event"
    return None if text else "no words"


def _spoken(part: Node, text: str, start_ms: int | None) -> Spoken:
    stated_role = label(part, "author", "type")
    role = _ROLES.get(stated_role or "", Role.UNKNOWN)
    if inside(part, "author", "from_ai_agent").value is True:
        role = Role.BOT
    speaker = label(part, "author", "name") or label(part, "author", "id") or stated_role
    return Spoken(role, text, start_ms, None, speaker, part.pointer, label(part, "id"))


def _entry(root: Node) -> Entry:
    first = root["source"] if isinstance(root["source"].value, dict) else root["conversation_message"]
    parts = root["conversation_parts"]
    listed = parts if isinstance(parts.value, list) else inside(parts, "conversation_parts")
    found: list[Spoken] = []
    left_out: list[LeftOut] = []
    for part in [first] * isinstance(first.value, dict) + listed.items():
        text = plain(words(part, "body") or "")
        if why := _why_no_turn(part, text):
            left_out.append(LeftOut(part.pointer, why))
        else:
            found.append(_spoken(part, text, time_ms(part, "created_at", 1000)))
    # The first message has the conversation's time; where that is a later one, as in copies, it has none.
    created_ms = time_ms(root, "created_at", 1000)
    starts = [item.start_ms for item in found if item.start_ms is not None]
    if found and found[0].start_ms is None and created_ms is not None and created_ms <= min(starts, default=created_ms):
        found[0] = found[0]._replace(start_ms=created_ms)
    total = inside(parts, "total_count")
    if isinstance(total.value, int) and isinstance(listed.value, list) and total.value > len(listed.value):
        left_out.append(LeftOut(total.pointer, "further parts, which are not in the document"))
    conversation = Conversation(
        in_order(from_origin(found, created_ms)),
        id=label(root, "id"),
        channel=Channel.CHAT,
        metadata=stated(agent=label(root, "admin_assignee_id"), team=label(root, "team_assignee_id")),
        source_categories=once(labels(root, "tags", "tags", "name") + labels(root, "topics", "topics", "name")),
    )
    return Entry(conversation, left_out=tuple(left_out))


def _read(root: Node) -> Iterator[Entry]:
    yield from each(_conversations(root), _entry)


READER = JsonReader("intercom", "Intercom", lambda value: bool(_conversations(Node(value))), _read)

"""Zendesk Chat (once Zopim): a chat with its history, a page of chats, or the answer to a list of ids.

    {"id": "1510.81", "type": "chat", "timestamp": "…", "tags": [], "agent_names": ["Kit"],
     "history": [{"type": "chat.msg", "nick": "agent:2", "sender_type": "Agent", "name": "Kit", "msg": "…",
                  "msg_id", "timestamp": "2014-10-09T05:47:25Z"}, {"type": "chat.memberjoin", "nick": "visitor"}]}

Who sent a message is told by `nick` (`agent:2`, `visitor` or `visitor:…`, `agent:trigger` for an
automatic one) and, in newer exports, by `sender_type`. All but `chat.msg` are events. A message left
while nobody was there (`offline_msg`) has its words in `message`. Times count from the first message.
Source: https://developer.zendesk.com/api-reference/live-chat/chat-api/chats/.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut, each
from app.transcripts.shared.fields import label, labels, stated, words
from app.transcripts.shared.spoken import Spoken, from_origin, in_order
from app.transcripts.shared.times import point_ms
from app.transcripts.tree import Node

_SENDERS = {
    "agent": Role.AGENT,
    "visitor": Role.CUSTOMER,
    "trigger": Role.BOT,
    "bot": Role.BOT,
    "answerbot": Role.BOT,
    "system": Role.SYSTEM,
}


def _is_chat(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    if value.get("type") == "offline_msg":
        return "message" in value and "visitor" in value
    history = value.get("history")
    return isinstance(history, list) and any(_is_event(item) for item in history[:20])


def _is_event(value: Any) -> bool:
    kind = value.get("type") if isinstance(value, dict) else None
    return isinstance(kind, str) and kind.startswith("chat.") and ("nick" in value or "sender_type" in value)


def _chats(root: Node) -> list[Node]:
    """The chats of a page, or the one that this is."""
    value = root.value
    if not isinstance(value, dict) or _is_chat(value):
        return [root] if _is_chat(value) else []
    listed, by_id = value.get("chats"), value.get("docs")
    if isinstance(listed, list) and any(_is_chat(item) for item in listed[:5]):
        return list(root["chats"])
    if isinstance(by_id, dict) and any(_is_chat(item) for item in list(by_id.values())[:5]):
        # By number: ids are the document's own words.
        return list(Node(list(by_id.values()), "docs"))
    return []


def _role(item: Node) -> Role:
    nick, _, who = (label(item, "nick") or "").casefold().partition(":")
    sender = (label(item, "sender_type") or "").casefold().replace("_", "").replace(" ", "")
    if who.startswith(("trigger", "bot")):
        return Role.BOT
    return _SENDERS.get(sender) or _SENDERS.get(nick) or Role.UNKNOWN


def _message(item: Node) -> Spoken | LeftOut:
    if item["type"].value != "chat.msg":
        return LeftOut(item.pointer, "an attachment" if item["type"].value == "chat.file" else "an event")
    text = words(item, "msg")
    if text is None:
        return LeftOut(item.pointer, "no words")
    speaker = label(item, "name") or label(item, "nick") or label(item, "sender_type")
    return Spoken(_role(item), text, point_ms(item["timestamp"]), None, speaker, item.pointer, label(item, "msg_id"))


def _entry(root: Node) -> Entry:
    found = [_message(item) for item in root["history"].items()]
    message = words(root, "message")
    if message is not None and root["type"].value == "offline_msg":
        visitor = label(root, "visitor", "name") or label(root, "visitor", "id")
        found.insert(
            0, Spoken(Role.CUSTOMER, message, point_ms(root["timestamp"]), None, visitor, root["message"].pointer)
        )
    conversation = Conversation(
        in_order(from_origin(item for item in found if isinstance(item, Spoken))),
        id=label(root, "id"),
        channel=Channel.CHAT,
        metadata=stated(agents=", ".join(labels(root, "agent_names")), department=label(root, "department_name")),
        source_categories=labels(root, "tags"),
    )
    return Entry(conversation, left_out=tuple(item for item in found if isinstance(item, LeftOut)))


def _read(root: Node) -> Iterator[Entry]:
    yield from each(_chats(root), _entry)


READER = JsonReader("zendesk_chat", "Zendesk Chat", lambda value: bool(_chats(Node(value))), _read)

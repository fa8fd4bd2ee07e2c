"""Twilio Conversations: the messages of a conversation (SMS, WhatsApp, chat), a page or a bare list.

    {"messages": [{"sid", "conversation_sid", "index": 0, "author", "participant_sid", "body", "media": null,
                   "date_created": "2016-03-24T20:37:57Z", "attributes": "{…}"}],
     "meta": {"key": "messages", "next_page_url": null}}

`author` is free text, an address or an identity, and so the speaker; no field tells a side.
`attributes` is a text that holds an application's own JSON and is not read. Times count
from the first message that is kept. A message with media alone has a null `body`. The order is that of
`index`, which has gaps where messages were deleted. See https://www.twilio.com/docs/conversations/api/conversation-message-resource.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut
from app.transcripts.shared.fields import label, words
from app.transcripts.shared.spoken import Spoken, from_origin, numbered
from app.transcripts.shared.times import iso_ms
from app.transcripts.tree import Node


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and "author" in value and ("conversation_sid" in value or "participant_sid" in value)


def _recognises(value: Any) -> bool:
    messages = value.get("messages") if isinstance(value, dict) else value
    return isinstance(messages, list) and bool(messages) and _is_message(messages[0])


def _spoken(node: Node, text: str) -> Spoken:
    speaker = label(node, "author") or label(node, "participant_sid")
    return Spoken(Role.UNKNOWN, text, iso_ms(node["date_created"]), None, speaker, node.pointer, label(node, "sid"))


def _why(node: Node) -> str:
    return "media without words" if node["media"].value else "no words"


def _read(root: Node) -> Iterator[Entry]:
    messages = list(root if isinstance(root.value, list) else root["messages"])
    indices = [node["index"].number() for node in messages]
    if None not in indices:
        messages = [messages[at] for at in sorted(range(len(indices)), key=lambda at: indices[at] or 0)]
    found: list[Spoken] = []
    left_out: list[LeftOut] = []
    for node in messages:
        if text := words(node, "body"):
            found.append(_spoken(node, text))
        else:
            left_out.append(LeftOut(node.pointer, _why(node)))
    if label(root, "meta", "next_page_url"):
        left_out.append(LeftOut("/meta/next_page_url", "further pages, which are not in the document"))
    conversation = Conversation(
        numbered(from_origin(found)),
        id=label(messages[0], "conversation_sid"),
        channel=Channel.CHAT,
    )
    yield Entry(conversation, left_out=tuple(left_out))


READER = JsonReader("twilio_conversations", "Twilio Conversations", _recognises, _read)

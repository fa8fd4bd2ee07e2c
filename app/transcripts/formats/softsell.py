"""softsell's own JSON: one conversation, as `POST /v1/score` takes it, or bare; one a line in JSON Lines.

    {"conversation": {"id": "c1", "turns": [{"role": "agent", "text": "…"}]}}
    {"id": "c1", "turns": [{"role": "agent", "text": "…"}]}

Fields that are not softsell's are left out, so that a caller's own record can carry `turns` among
other things.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role, Turn
from app.transcripts.reader import Entry, JsonReader, Rank
from app.transcripts.tree import Node

_ROLES = {role.value: role for role in Role}
_CHANNELS = {channel.value: channel for channel in Channel}


def _is_conversation(value: Any) -> bool:
    """Whether a parsed value is a conversation, or a request to score one, be it a broken one."""
    if not isinstance(value, dict):
        return False
    inner = value.get("conversation")
    return "turns" in value or (isinstance(inner, dict) and "turns" in inner)


def _conversation(root: Node) -> Conversation:
    if "turns" not in root.value:
        root = root["conversation"]
    listed = root["turns"]
    turns = tuple(_turn(node, index) for index, node in enumerate(listed))
    if not turns:
        raise listed.error("is empty; send at least one turn")
    given = [value["id"] for value in listed.value if value.get("id") is not None]
    if len(set(given)) < len(given):
        raise listed.error("holds two turns of one `id`; give each its own, or none")
    channel = root["channel"]
    return Conversation(
        turns,
        id=root["id"].optional_text(),
        channel=None if channel.value is None else channel.choice(_CHANNELS),
        metadata=_metadata(root["metadata"]),
    )


def _turn(node: Node, index: int) -> Turn:
    id_ = node.text_at("id")
    start_ms, end_ms = node.milliseconds_at("start_ms"), node.milliseconds_at("end_ms")
    if start_ms is not None and end_ms is not None and end_ms < start_ms:
        raise node["end_ms"].error("is before `start_ms`")
    return Turn(
        str(index) if id_ is None else id_,
        node["role"].choice(_ROLES),
        node["text"].text(),
        start_ms,
        end_ms,
        node.text_at("speaker"),
        pointer=node.pointer,
    )


def _metadata(node: Node) -> dict[str, str]:
    if node.value is None:
        return {}
    if not isinstance(node.value, dict):
        raise node.error("must be an object")
    # A key is the caller's own word, so no error may name it.
    return {Node(key, "metadata").text(): Node(value, "metadata").text() for key, value in node.value.items()}


def _read(node: Node) -> Iterator[Entry]:
    yield Entry(_conversation(node))


READER = JsonReader("softsell", "softsell's own JSON", _is_conversation, _read, Rank.GENERIC)

"""The one shape of a conversation, to which every door converts what it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """Who speaks a turn. Only `agent` and `customer` turns are scored; a `bot` is no agent."""

    AGENT = "agent"
    CUSTOMER = "customer"
    BOT = "bot"
    SYSTEM = "system"
    UNKNOWN = "unknown"


class Channel(StrEnum):
    """How the conversation was held: `voice` text comes from a transcriber, `chat` text as typed."""

    VOICE = "voice"
    CHAT = "chat"


class Turn(NamedTuple):
    """One uninterrupted utterance or message. A named tuple: a document has very many, and no other is made as fast.

    `text` is exactly what the caller sent; offsets into it count Unicode code points. `is_final` is
    false for a recognition that may still change; `confidence`, 0 to 1, is the recogniser's own;
    `pointer` says where in the source the turn stands: a JSON pointer (RFC 6901) or `line 12`.
    """

    id: str
    role: Role
    text: str
    start_ms: int | None = None
    end_ms: int | None = None
    speaker: str | None = None
    is_final: bool = True
    confidence: float | None = None
    pointer: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns in the order in which they were spoken.

    `source_categories` are what the source itself found, in its own words, passed through unread.
    """

    turns: tuple[Turn, ...]
    id: str | None = None
    channel: Channel | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    source_categories: tuple[str, ...] = ()

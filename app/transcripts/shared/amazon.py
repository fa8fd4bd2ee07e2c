"""What Amazon's formats share: calls that Contact Lens or Transcribe analysed, messages of chats, and labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from app.core.conversation import Role, Turn
from app.transcripts.reader import LeftOut
from app.transcripts.shared.fields import label, labels, objects, words
from app.transcripts.shared.spoken import Spoken, in_order
from app.transcripts.shared.times import iso_ms
from app.transcripts.tree import Node

# `SUPERVISOR` and whatever is new are of neither side, and keep their own name as label.
_ROLES = {"AGENT": Role.AGENT, "CUSTOMER": Role.CUSTOMER, "CUSTOM_BOT": Role.BOT, "SYSTEM": Role.SYSTEM}
_CALL_MARKS = (
    "Participants",
    "JobStatus",
    "ContentMetadata",
    "ConversationCharacteristics",
    "CustomerMetadata",
    "LanguageCode",
)
_TEXT_TYPES = ("text/plain", "text/markdown")

Participants = dict[str, str]
"""Each participant's role in the source's words, by id."""


def is_analysed_call(value: Any) -> bool:
    """Whether a value is an analysed call of Contact Lens or of Transcribe Call Analytics, which look alike."""
    if not isinstance(value, dict) or "Transcript" not in value or value.get("Channel") == "CHAT":
        return False
    return sum(mark in value for mark in _CALL_MARKS) > 1 and not is_chat(value)


def is_by_transcribe(value: dict[str, Any]) -> bool:
    """Whether an analysed call is of Transcribe, which names its job and lists each turn's words."""
    if "CustomerMetadata" in value:
        return False
    turns = value["Transcript"]
    return "JobName" in value or any(
        isinstance(turn, dict) and ("Items" in turn or "LoudnessScores" in turn)
        for turn in (turns[:3] if isinstance(turns, list) else ())
    )


def is_chat(value: Any) -> bool:
    """Whether a value is a chat of Connect, analysed or not."""
    if not isinstance(value, dict) or "Transcript" not in value:
        return False
    version = value.get("Version")
    if "ChatTranscriptVersion" in value or (isinstance(version, str) and version.startswith(("2019-08-26", "CHAT-"))):
        return True
    items = value["Transcript"]
    return any(
        isinstance(item, dict) and "AbsoluteTime" in item and ("ContentType" in item or "ParticipantRole" in item)
        for item in (items[:3] if isinstance(items, list) else ())
    )


def matched_categories(root: Node) -> tuple[str, ...]:
    """The names of the rules that Amazon found to match."""
    return labels(root, "Categories", "MatchedCategories")


def participants(root: Node) -> Participants:
    """The role of each participant by id, where the document lists them."""
    found = [(label(row, "ParticipantId"), label(row, "ParticipantRole")) for row in objects(root, "Participants")]
    return {id_: role for id_, role in found if id_ and role}


def who(turn: Node, listed: Participants) -> tuple[Role, str | None]:
    """A turn's role and label: as it says itself, as its participant is listed, or as the id says."""
    id_ = label(turn, "ParticipantId")
    stated = label(turn, "ParticipantRole") or listed.get(id_ or "") or id_
    role = _ROLES.get(stated or "") or _ROLES.get((stated or "").upper(), Role.UNKNOWN)
    return role, stated if role is Role.UNKNOWN else label(turn, "DisplayName") or id_ or stated


def call_turns(
    root: Node, confidence: Callable[[Node], float | None] | None = None
) -> tuple[tuple[Turn, ...], tuple[LeftOut, ...]]:
    """The turns of an analysed call, and what became none."""
    listed = participants(root)
    found: list[Spoken] = []
    left_out: list[LeftOut] = []
    transcript = root["Transcript"]
    place = transcript.pointer
    for index, node in enumerate(transcript.items()):
        text = words(node, "Content")
        pointer = f"{place}/{index}"
        if text is None:
            left_out.append(LeftOut(pointer, "no words"))
            continue
        role, speaker = who(node, listed)
        start_ms, end_ms = node.milliseconds_at("BeginOffsetMillis"), node.milliseconds_at("EndOffsetMillis")
        share = confidence(node) if confidence else None
        found.append(Spoken(role, text, start_ms, end_ms, speaker, pointer, node.label_at("Id"), share))
    return in_order(found), tuple(left_out)


def why_no_turn(item: Node) -> str | None:
    """Why an item of a chat is no turn; `None` if it is one."""
    kind, content_type = item.text_at("Type") or "MESSAGE", item.text_at("ContentType") or "text/plain"
    if kind != "MESSAGE" or ".event." in content_type:
        return "an attachment" if kind == "ATTACHMENT" else "an event"
    if content_type not in _TEXT_TYPES:
        return "an interactive message, no text"
    return "no words" if words(item, "Content") is None else None


def chat_turn(item: Node, listed: Participants) -> Spoken:
    """The turn of a message that is one, with the time since 1970."""
    time = item["AbsoluteTime"]
    if time.value is None and isinstance(item["Time"].value, dict):
        time = item["Time"]["AbsoluteTime"]
    role, speaker = who(item, listed)
    return Spoken(role, item["Content"].text(), iso_ms(time), None, speaker, item.pointer, item.label_at("Id"))


def speakers(pairs: Sequence[tuple[str | None, str | None]]) -> list[str | None]:
    """The label of each segment of which a speaker, a channel or both are named.

    The speaker's, since those are told apart across channels, unless one name stands for voices on
    several channels, or some have none.
    """
    channels: dict[str | None, set[str | None]] = {}
    for speaker, channel in pairs:
        channels.setdefault(speaker, set()).add(channel)
    several = len({channel for _, channel in pairs if channel}) > 1
    by_channel = several and (None in channels or any(len(found) > 1 for found in channels.values()))
    return [channel_name(channel) if channel and (by_channel or not speaker) else speaker for speaker, channel in pairs]


def channel_name(channel: str) -> str:
    """`channel 0` for `ch_0`."""
    return f"channel {channel.removeprefix('ch_')}"

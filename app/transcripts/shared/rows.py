"""Turns from the rows of a table, whose columns are those of `app.transcripts.shared.columns`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.formats import plain_text
from app.transcripts.reader import Entry, LeftOut
from app.transcripts.shared.columns import Column, Columns, Row, label_of
from app.transcripts.shared.moments import times
from app.transcripts.shared.spoken import Spoken, in_order
from app.transcripts.tree import is_whole, share_of

_MEDIA = {
    Channel.VOICE: "voice phone call audio telephone telephony",
    Channel.CHAT: "chat text sms webchat whatsapp messaging message email",
}
_CHANNELS = {name: channel for channel, names in _MEDIA.items() for name in names.split()}
_MACHINE = {
    "assistant": Role.BOT, "model": Role.BOT, "ai": Role.BOT, "user": Role.CUSTOMER, "human": Role.CUSTOMER,
    "system": Role.SYSTEM, "developer": Role.SYSTEM,
}  # fmt: skip
_ROLES = frozenset(Role)
_MACHINES = frozenset({"assistant", "model", "ai"})
_TOOLS = frozenset({"tool", "function"})
_LARGEST = 1 << 28
# So that what is remembered of a table takes the same few megabytes, however long it is.
_MOST_REMEMBERED = 1 << 16


def _text_of(value: Any) -> str | None:
    """The words of a cell, also of parts as messages to language models have; `None` where there are none."""
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in value]
        value = "\n".join(part for part in parts if isinstance(part, str))
    if not isinstance(value, str) or not value or value.isspace():
        return None
    return value


def _who(row: Row, machine: bool) -> tuple[Role, str | None]:
    """The role that a row states, and the label of its speaker where it is made of whole characters."""
    role, speaker = _stated(row, machine)
    return role, _whole(speaker)


def _stated(row: Row, machine: bool) -> tuple[Role, str | None]:
    stated, speaker = label_of(row.role), label_of(row.speaker)
    if stated is None and isinstance(row.speaker, dict):
        stated = label_of(row.speaker.get("role")) or label_of(row.speaker.get("type"))
    if speaker is None and stated is None:
        channel = label_of(row.channel)
        if channel is not None and channel.casefold() not in _CHANNELS:
            speaker = channel if channel.casefold().startswith("channel") else f"channel {channel}"
    plain = (stated or speaker or "").casefold()
    if machine and plain in _MACHINE:
        return _MACHINE[plain], speaker or stated
    if stated is None:
        return Role.UNKNOWN, speaker
    if plain in _ROLES:
        return Role(plain), speaker
    return Role.UNKNOWN, stated if speaker in (None, stated) else f"{stated} ({speaker})"


def _is_machine(rows: Sequence[Row]) -> bool:
    """Whether these are messages to and from a language model."""
    stated = {who for row in rows for who in (row.role, row.speaker) if isinstance(who, str)}
    return any(who.casefold() in _MACHINES for who in stated)


def _whole(label: str | None) -> str | None:
    """A label without half of a surrogate pair in it."""
    return label if label and is_whole(label) else None


def entry_of(
    rows: Sequence[Row], units: Mapping[Column, float], id_: str | None = None, left_out: Sequence[LeftOut] = ()
) -> Entry:
    """The conversation that rows make."""
    machine = _is_machine(rows)
    dropped = list(left_out)
    kept: list[Row] = []
    texts: list[str] = []
    for row in rows:
        text = _text_of(row.text)
        if text is None:
            dropped.append(LeftOut(row.where, "no words"))
        elif not is_whole(text):
            dropped.append(LeftOut(row.where, "half of a surrogate pair; write whole characters"))
        elif machine and isinstance(row.role, str) and row.role.casefold() in _TOOLS:
            dropped.append(LeftOut(row.where, "what a tool answered"))
        else:
            kept.append(row)
            texts.append(text)
    starts, ends = times(kept, texts, units)
    for cells, read in (([row.start for row in kept], starts), ([row.end for row in kept], ends)):
        if None not in read:
            continue
        odd = next((i for i, cell in enumerate(cells) if read[i] is None and cell not in (None, "")), None)
        if odd is not None:
            dropped.append(LeftOut(kept[odd].where, "a time that cannot be read"))
    known: dict[tuple[Any, Any, Any], tuple[Role, str | None]] = {}
    found: list[Spoken] = []
    for row, text, start_ms, end_ms in zip(kept, texts, starts, ends, strict=True):
        key = (row.role, row.speaker, row.channel)
        try:
            who = known.get(key)
        except TypeError:
            who = _who(row, machine)
        else:
            if who is None:
                who = known[key] = _who(row, machine)
        role, speaker = who
        turn_id = None if row.turn is None else _whole(label_of(row.turn))
        confidence = None if row.confidence is None else share_of(row.confidence)
        found.append(Spoken(role, text, start_ms, end_ms, speaker, row.where, turn_id, confidence))
    media = {_CHANNELS.get(label.casefold()) for row in kept[:20] if (label := label_of(row.channel))}
    channel = media.pop() if len(media) == 1 else None
    return Entry(Conversation(in_order(found), _whole(id_), channel), left_out=tuple(dropped))


def labelled(text: Any, where: str) -> Conversation | None:
    """The conversation that one cell holds as plain text, `Agent: …` line by line; its turns stand at `where`."""
    if not isinstance(text, str) or ":" not in text or not is_whole(text):
        return None
    document = Document.of(text.encode())
    found = plain_text.conversation_in(document)
    if found is None or len(found.turns) < 2:
        return None
    return replace(found, turns=tuple(turn._replace(pointer=where) for turn in found.turns))


def entries_of(
    rows: Iterable[Row | LeftOut], columns: Columns, id_: str | None = None, notes: Sequence[LeftOut] = ()
) -> Iterator[Entry]:
    """The conversations of rows: those that stand together and have one conversation's id are one.

    A row without an id goes on with the conversation before it. An id that comes back later is a
    conversation of its own, with a note if it is among the first `_MOST_REMEMBERED`. Where nothing
    tells speakers apart, a row whose text is a whole conversation in plain text is one.
    """
    whole = not columns.names_speakers
    held: list[Row] = []
    left_out: list[LeftOut] = list(notes)
    key, size = id_, 0
    seen: set[int] = set()

    def ended() -> Entry:
        if size > _LARGEST:
            return Entry(
                UnreadableTranscript(
                    f"one conversation is larger than {_LARGEST >> 20} MiB; give each an id in a column conversation_id"
                )
            )
        return entry_of(held, columns.units, key, left_out)

    for row in rows:
        if isinstance(row, LeftOut):
            left_out.append(row)
            continue
        if whole and (found := labelled(row.text, row.where)):
            if held:
                yield ended()
                held, left_out, size = [], [], 0
            own = label_of(row.conversation) or label_of(row.turn)
            yield Entry(replace(found, id=_whole(own)), left_out=tuple(left_out))
            left_out = []
            continue
        own = None if row.conversation is None else label_of(row.conversation)
        if own is not None and own != key:
            if held:
                yield ended()
                held, left_out, size = [], [], 0
            if hash(own) in seen:
                left_out.append(LeftOut(row.where, "an id that came before; taken as a conversation of its own"))
            if len(seen) < _MOST_REMEMBERED:
                seen.add(hash(own))
            key = own
        size += len(row.text) if isinstance(row.text, str) else 1
        if size <= _LARGEST:
            held.append(row)
    if held:
        yield ended()
    elif left_out:
        yield Entry(UnreadableTranscript("a table without a row that can be read"), left_out=tuple(left_out))

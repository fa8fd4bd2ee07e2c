"""IETF vCon: one conversation in a container, of messages and of recordings with transcripts beside them.

    {"vcon": "0.4.0", "uuid", "created_at", "extensions": ["cc"],
     "parties": [{"name", "tel", "mailto", "role": "agent"}],
     "dialog": [{"type": "text", "start": "2026-01-05T10:00:00Z", "parties": [0, 1], "mediatype", "encoding", "body"},
                {"type": "recording", "start", "duration", "parties": [0, 1], "url"}],
     "analysis": [{"type": "transcript", "dialog": 1, "vendor", "encoding": "json", "body": {…}}]}

The first of a dialog's parties speaks unless `originator` names another. A transcript's body is whatever
its vendor writes, as JSON, as JSON in a text, or as plain text, and is read as such; of several of one
recording, the first that tells speakers apart. A speaker called as a party, or by the channel of one, has
that party's role, which the contact-centre extension adds (early writers: `meta.role`). Dialogs count from
the first one's start. A signed or encrypted vCon must be opened first. See draft-ietf-vcon-vcon-core,
draft-ietf-vcon-cc-extension and draft-howe-vcon-wtf-extension.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from app.core.conversation import Channel, Conversation, Role
from app.core.errors import UnreadableTranscript
from app.transcripts.document import parse_json
from app.transcripts.reader import Entry, JsonReader, LeftOut
from app.transcripts.registry import read_value
from app.transcripts.shared.fields import has, inside, label, objects, once, stated, time_ms, words
from app.transcripts.shared.html import plain
from app.transcripts.shared.moments import moment
from app.transcripts.shared.rows import labelled
from app.transcripts.shared.spoken import Spoken, in_order, numbered
from app.transcripts.tree import Node

EXTENSION = "softsell"
_ROLES = {"agent": Role.AGENT, "customer": Role.CUSTOMER, "bot": Role.BOT, "system": Role.SYSTEM}
_NAMES = ("name", "mailto", "tel", "sip", "uuid", "did")
_TRANSCRIPTS = ("transcript", "transcription", "wtf_transcription", "diarized", "diarization")
_OTHERS = ("group", "appended", "amended")
_DEEPEST_LIST = 3
_NO_TRANSCRIPTS = frozenset({"report", "sentiment", "summary", "translation", "tts"})


class _Party(NamedTuple):
    role: Role
    speaker: str | None
    name: str | None


def _recognises(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("parties"), list):
        return False
    if not isinstance(value.get("vcon"), str) and not {"uuid", "created_at"} <= value.keys():
        return False
    return isinstance(value.get("dialog"), list) or isinstance(value.get("analysis"), list)


def _holds_vcon(value: Any, depth: int = 0) -> bool:
    """Whether reading a value would end here again."""
    if isinstance(value, list) and depth <= _DEEPEST_LIST:
        return any(_holds_vcon(inner, depth + 1) for inner in value)
    return _recognises(value)


def _parties(root: Node) -> list[_Party]:
    found = []
    nodes = root["parties"].items()
    for node in nodes:
        name = next((text for field in _NAMES if (text := label(node, field))), None)
        given = label(node, "role") or label(node, "meta", "role") or ""
        role = _ROLES.get(given.casefold(), Role.UNKNOWN)
        speaker = name
        if given and role is Role.UNKNOWN and given.casefold() != Role.UNKNOWN:
            speaker = f"{given} ({name})" if name else given
        found.append(_Party(role, speaker, name))
    if sum(party.speaker is None and party.role is Role.UNKNOWN for party in found) > 1:
        found = [
            party._replace(speaker=f"party {index}") if party.speaker is None and party.role is Role.UNKNOWN else party
            for index, party in enumerate(found)
        ]
    return found


def _indices(value: Any) -> list[int]:
    """The numbers in a number, a list of them, or a list of lists."""
    if isinstance(value, int) and not isinstance(value, bool):
        return [value]
    inner = value if isinstance(value, list) else []
    flat = [part for item in inner for part in (item if isinstance(item, list) else [item])]
    return [part for part in flat if isinstance(part, int) and not isinstance(part, bool)]


def _at(parties: Sequence[_Party], index: int) -> _Party:
    return parties[index] if 0 <= index < len(parties) else _Party(Role.UNKNOWN, None, None)


def _media(node: Node) -> str:
    return (label(node, "mediatype") or label(node, "mimetype") or "text/plain").partition(";")[0].strip().casefold()


def _text(node: Node) -> str | None:
    """The words of a message; `None` where it has none."""
    body = node["body"]
    if label(node, "encoding") == "base64url" and isinstance(body.value, str):
        try:
            content = base64.urlsafe_b64decode(body.value + "=" * (-len(body.value) % 4)).decode()
        except (ValueError, binascii.Error):
            return None
    elif isinstance(body.value, str):
        content = body.text()
    else:
        content = words(body, "text", "content", "body") or "" if isinstance(body.value, dict) else ""
    content = plain(content) if _media(node) == "text/html" else content
    return content if content.strip() else None


def _vendor_value(body: Node) -> Any:
    """A transcript's body as JSON, or as the text that it is; the bare result of a Deepgram channel gets its frame."""
    value = body.value
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = parse_json(value)
        except ValueError:
            value = body.value
    if isinstance(value, dict) and isinstance(value.get("transcript"), str):
        if value.get("words") or value.get("paragraphs"):
            return {"results": {"channels": [{"alternatives": [value]}]}}
        return value["transcript"]
    return value


def _vendor_turns(body: Node) -> list[Spoken]:
    """The turns of a transcript's body. Raises `UnreadableTranscript` where it is none."""
    value = _vendor_value(body)
    if isinstance(value, str):
        body.holding(value).text()
        found = labelled(value, body.pointer)
        if found is None:
            return [Spoken(Role.UNKNOWN, value, None, None, None, body.pointer)] if value.strip() else []
        turns = list(found.turns)
    else:
        if _holds_vcon(value):
            raise body.error("is a vCon in a vCon")
        entries = [entry.outcome for entry in read_value(body if value is body.value else body.holding(value))]
        turns = [turn for outcome in entries if isinstance(outcome, Conversation) for turn in outcome.turns]
        if not turns and isinstance(errors := entries[0] if entries else None, UnreadableTranscript):
            raise errors
    native = value is body.value
    return [
        Spoken(
            turn.role,
            turn.text,
            turn.start_ms,
            turn.end_ms,
            turn.speaker,
            turn.pointer if native and turn.pointer else body.pointer,
            turn.id,
            turn.confidence,
            turn.is_final,
        )
        for turn in turns
    ]


def _as_party(item: Spoken, parties: Sequence[_Party], on_channels: list[int]) -> Spoken:
    """A turn of a transcript with the party that its label names."""
    if item.role is not Role.UNKNOWN or item.speaker is None:
        return item
    called = item.speaker.casefold()
    party = next((party for party in parties if party.name and called == party.name.casefold()), None)
    numbers = {f"channel {number}": index for number, index in enumerate(on_channels)}
    if party is None and called in numbers:
        party = _at(parties, numbers[called])
    return item._replace(role=party.role, speaker=party.speaker or item.speaker) if party else item


class _Dialog(NamedTuple):
    node: Node
    place: int
    start_ms: float | None


def _message(dialog: _Dialog, parties: Sequence[_Party], origin: float) -> Spoken | LeftOut:
    node = dialog.node
    text = _text(node)
    if text is None:
        return LeftOut(node.pointer, "no words that can be read")
    if not _media(node).startswith("text/"):
        return LeftOut(node.pointer, "a message that is no text")
    speakers = _indices(node["originator"].value)[:1] or _indices(node["parties"].value)[:1]
    party = _at(parties, speakers[0]) if speakers else _Party(Role.UNKNOWN, None, None)
    own = inside(node, EXTENSION)
    start_ms: int | None = None
    end_ms: int | None = None
    if isinstance(own.value, dict):
        start_ms, end_ms = time_ms(own, "start_ms"), time_ms(own, "end_ms")
    elif dialog.start_ms is not None:
        start_ms = round(dialog.start_ms - origin)
        lasts = moment(node["duration"].value)
        end_ms = start_ms + round(lasts[0] * 1000) if lasts and lasts[1] and 0 < lasts[0] < 10**9 else None
    return Spoken(party.role, text, start_ms, end_ms, party.speaker, node.pointer, label(node, "message_id"))


def _transcripts(root: Node, left_out: list[LeftOut]) -> dict[int, list[Node]]:
    """Analyses that may be transcripts by the dialog that they are of; -1 for those that name none."""
    ranked: list[tuple[int, int, Node]] = []
    for node in objects(root, "analysis"):
        kind = (label(node, "type") or "").casefold()
        if kind in _NO_TRANSCRIPTS:
            left_out.append(LeftOut(node.pointer, "an analysis that is no transcript"))
            continue
        if node["body"].value in (None, ""):
            left_out.append(LeftOut(node.pointer, "an analysis that stands elsewhere"))
            continue
        rank = _TRANSCRIPTS.index(kind) if kind in _TRANSCRIPTS else len(_TRANSCRIPTS)
        if rank == len(_TRANSCRIPTS) and not isinstance(node["body"].value, list | dict):
            left_out.append(LeftOut(node.pointer, "an analysis that is no transcript"))
            continue
        ranked.append((rank, (_indices(node["dialog"].value) or [-1])[0], node))
    found: dict[int, list[Node]] = {}
    for _, dialog, node in sorted(ranked, key=lambda item: item[0]):
        found.setdefault(dialog, []).append(node)
    return found


def _best(nodes: Sequence[Node], left_out: list[LeftOut]) -> list[Spoken]:
    """The turns of the first transcript that tells speakers apart, or else of the first that has any."""
    best: list[Spoken] = []
    best_node: Node | None = None
    for node in nodes:
        try:
            turns = _vendor_turns(node["body"])
        except UnreadableTranscript:
            left_out.append(LeftOut(node.pointer, "of no known transcript format"))
            continue
        tells = len({(turn.role, turn.speaker) for turn in turns}) > 1
        if turns and (best_node is None or (tells and len({(turn.role, turn.speaker) for turn in best}) == 1)):
            if best_node:
                left_out.append(LeftOut(best_node.pointer, "another transcript of the same dialog"))
            best, best_node = turns, node
        elif turns:
            left_out.append(LeftOut(node.pointer, "another transcript of the same dialog"))
    return best


def _dialogs(root: Node) -> list[_Dialog]:
    """Dialogs by start, one without a start staying after the one before it."""
    found: list[_Dialog] = []
    keys: list[float] = []
    for index, node in enumerate(root["dialog"].items()):
        if not isinstance(node.value, dict):
            continue
        start = moment(node["start"].value)
        at = None if start is None else start[0] * 1000 if start[1] and start[0] < 10**11 else start[0]
        found.append(_Dialog(node, index, at))
        keys.append(at if at is not None else keys[-1] if keys else 0)
    # What softsell wrote stands in the conversation's own order.
    if any(has(dialog.node.value, EXTENSION) for dialog in found):
        return found
    return [found[place] for place in sorted(range(len(found)), key=keys.__getitem__)]


def _read(root: Node) -> Iterator[Entry]:
    parties, dialogs = _parties(root), _dialogs(root)
    left_out = [LeftOut(f"{root.pointer}/{name}", "another vCon") for name in _OTHERS if root[name].value]
    left_out += [LeftOut(node.pointer, "an attachment") for node in objects(root, "attachments")]
    by_dialog = _transcripts(root, left_out)
    origin = min((dialog.start_ms for dialog in dialogs if dialog.start_ms is not None), default=0)
    found: list[Spoken] = []
    for dialog in dialogs:
        kind, transcripts = label(dialog.node, "type"), by_dialog.pop(dialog.place, [])
        message = _message(dialog, parties, origin) if kind == "text" else None
        if isinstance(message, Spoken):
            found.append(message)
            left_out += [LeftOut(node.pointer, "an analysis of a message") for node in transcripts]
            continue
        turns = _best(transcripts, left_out)
        if not turns:
            left_out.append(message or LeftOut(dialog.node.pointer, "no words, and no transcript of it"))
        offset = 0 if dialog.start_ms is None else round(dialog.start_ms - origin)
        on_channels = _indices(dialog.node["parties"].value)
        for turn in turns:
            start_ms = None if turn.start_ms is None else turn.start_ms + offset
            end_ms = None if turn.end_ms is None else turn.end_ms + offset
            found.append(_as_party(turn._replace(start_ms=start_ms, end_ms=end_ms), parties, on_channels))
    rest = [node for nodes in by_dialog.values() for node in nodes]
    if found:
        left_out += [LeftOut(node.pointer, "an analysis of no dialog") for node in rest]
    else:
        found = [_as_party(turn, parties, list(range(len(parties)))) for turn in _best(rest, left_out)]
    yield Entry(_conversation(root, dialogs, found), left_out=tuple(left_out))


def _conversation(root: Node, dialogs: Sequence[_Dialog], found: Sequence[Spoken]) -> Conversation:
    kinds = {label(dialog.node, "type") for dialog in dialogs}
    media = {label(dialog.node, "interaction_type") for dialog in dialogs}
    channels = [channel for channel in Channel if channel.value in media]
    channel = channels[0] if len(channels) == 1 else None
    channel = channel or (Channel.VOICE if "recording" in kinds and "text" not in kinds else None)
    ids = once(label(dialog.node, "interaction_id") for dialog in dialogs)
    metadata = stated(subject=label(root, "subject"), redacted=label(root, "redacted", "type"))
    # What softsell wrote stands in the conversation's own order.
    is_own = any(has(dialog.node.value, EXTENSION) for dialog in dialogs)
    turns = numbered(found) if is_own else in_order(found)
    return Conversation(turns, ids[0] if len(ids) == 1 else label(root, "uuid"), channel, metadata)


READER = JsonReader("vcon", "IETF vCon", _recognises, _read)

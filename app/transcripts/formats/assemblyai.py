"""AssemblyAI, a speech recogniser: a transcript, or the messages of a live stream as a list.

    {"id", "status": "completed", "audio_url", "text", "words": [{"text", "start", "end", "confidence", "speaker"}],
     "utterances": [{"speaker": "A", "text", "start", "end", "confidence", "channel", "words"}]}

Times are in milliseconds. `utterances` is null where neither speaker labels nor channels were asked for;
the words then make the turns, cut at pauses if they name no speaker. With channels, `speaker` is the
channel, from 1, or `1A` where a channel holds several. Live, `Turn` comes many times with one
`turn_order` and a growing text; the last of the ended ones counts, which is the formatted one, and its
`speaker_label` may be `UNKNOWN`.
See https://www.assemblyai.com/docs/api-reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut
from app.transcripts.shared.fields import inside, label, labels, time_ms, words
from app.transcripts.shared.messages import Message, lines_reader, messages_of
from app.transcripts.shared.recognised import PAUSE_MS, utterances
from app.transcripts.shared.spoken import Spoken, in_order
from app.transcripts.tree import Node

_MARKS = ("audio_url", "audio_duration", "acoustic_model", "language_model", "speech_model", "speech_models", "status")
_UTTERANCE = {"text", "start", "end", "speaker"}


def _is_live_message(value: Any) -> bool:
    """Whether a value is a live message that holds words."""
    return isinstance(value, dict) and value.get("type") == "Turn" and "turn_order" in value


def _recognises(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_is_live_message, value[:20]))
    if not isinstance(value, dict) or "segments" in value:
        return False
    if _is_live_message(value):
        return True
    spoken = value.get("utterances")
    if isinstance(spoken, list) and spoken and isinstance(spoken[0], dict) and spoken[0].keys() >= _UTTERANCE:
        return True
    return ("utterances" in value or "words" in value) and any(mark in value for mark in _MARKS)


def _utterance(node: Node) -> Spoken:
    channel, speaker = label(node, "channel"), label(node, "speaker")
    return Spoken(
        Role.UNKNOWN,
        words(node, "text") or "",
        time_ms(node, "start"),
        time_ms(node, "end"),
        f"channel {channel}" if channel is not None and speaker in (None, channel) else speaker,
        node.pointer,
        confidence=node["confidence"].share(),
    )


def _of_words(listed: Node) -> list[Spoken]:
    values = listed.value if isinstance(listed.value, list) else []
    named = any(isinstance(value, dict) and value.get("speaker") is not None for value in values)
    return list(utterances(listed, 1, ("text",), pause_ms=None if named else PAUSE_MS))


def _recording(root: Node) -> Entry:
    if root["status"].value in ("error", "queued", "processing"):
        raise root["status"].error("is of a transcript that is not there (yet); send one that is `completed`")
    found = [_utterance(node) for node in root["utterances"].items()]
    if not any(item.text for item in found):
        found = _of_words(root["words"])
    if not found:
        confidence = root["confidence"].share()
        text, pointer = words(root, "text") or "", root["text"].pointer
        found = [Spoken(Role.UNKNOWN, text, None, None, None, pointer, confidence=confidence)]
    summary = inside(root, "iab_categories_result", "summary")
    conversation = Conversation(
        in_order(found),
        id=label(root, "id"),
        channel=Channel.VOICE,
        source_categories=labels(summary.holding(list(summary.value))) if isinstance(summary.value, dict) else (),
    )
    return Entry(conversation)


def _live_turn(where: str, node: Node) -> Spoken:
    found = list(utterances(node["words"], 1, ("text",)))
    text = words(node, "transcript") or ""
    is_final = node["end_of_turn"].value is True
    if not text and not is_final:
        # The text holds only words that are sure; a turn that has just begun has none.
        text = " ".join(item.text for item in found)
    start_ms, end_ms = (found[0].start_ms, found[-1].end_ms) if found else (None, None)
    speaker = label(node, "speaker_label")
    speaker = None if speaker == "UNKNOWN" else speaker
    id_ = label(node, "turn_order")
    return Spoken(Role.UNKNOWN, text, start_ms, end_ms, speaker, where, id_, is_final=is_final)


def _live(messages: Iterable[Message]) -> Entry:
    """The conversation that live messages make."""
    found: dict[str, Spoken] = {}
    left_out: list[LeftOut] = []
    id_ = None
    for where, node in messages:
        if not _is_live_message(node.value):
            if node["type"].value == "Begin":
                id_ = label(node, "id")
            left_out.append(LeftOut(where, "a message without words"))
            continue
        turn = _live_turn(where, node)
        key = where if turn.id is None else turn.id
        earlier = found.get(key)
        if earlier is not None and earlier.is_final and not turn.is_final:
            left_out.append(LeftOut(where, "partial, after the final one of its turn"))
            continue
        if earlier is not None:
            by = "a final one" if turn.is_final else "a later one"
            left_out.append(
                LeftOut(earlier.pointer, f"replaced by {by}" if earlier.is_final else f"partial, replaced by {by}")
            )
        found[key] = turn
    return Entry(Conversation(in_order(found.values()), id=id_, channel=Channel.VOICE), left_out=tuple(left_out))


def _read(node: Node) -> Iterator[Entry]:
    is_live = isinstance(node.value, list) or _is_live_message(node.value)
    yield _live(messages_of(node)) if is_live else _recording(node)


READERS = (
    JsonReader("assemblyai", "AssemblyAI", _recognises, _read),
    lines_reader("assemblyai_live", "AssemblyAI, live messages", _is_live_message, _live),
)

"""Whisper and its kin: segments without speakers, so that roles stay unknown.

    {"text", "language", "segments": [{"id", "start", "end", "text", "avg_logprob", "words": […]}]}
    {"task": "transcribe", "duration", "text", "segments": [{"type": "transcript.text.segment", "speaker": "A", …}]}
    {"result": {"language"}, "transcription": [{"offsets": {"from": 0, "to": 3000}, "text"}]}

The first is of OpenAI's program, its API (`verbose_json`) and whisper-timestamped, the second of the
API's `diarized_json`, whose speakers are letters or names, the third of whisper.cpp, in milliseconds
where the others are in seconds. Texts keep the space that opens them. Without segments, as when only
words were asked for, `text` is one turn. See https://platform.openai.com/docs/api-reference/audio.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader
from app.transcripts.shared.fields import label, stated, time_ms, words
from app.transcripts.shared.spoken import Spoken, in_order
from app.transcripts.tree import Node

_API_SEGMENT = "transcript.text.segment"
_SEGMENT_MARKS = ("tokens", "avg_logprob", "no_speech_prob", "seek", "confidence", "words")


def _recognises(value: Any) -> bool:
    if not isinstance(value, dict) or "word_segments" in value:
        return False
    segments, pieces = value.get("segments"), value.get("transcription")
    if isinstance(segments, list) and segments:
        first = segments[0]
        if not isinstance(first, dict) or not first.keys() >= {"start", "end", "text"}:
            return False
        named = any(isinstance(segment, dict) and "speaker" in segment for segment in segments)
        if named:
            return first.get("type") == _API_SEGMENT
        return (
            "text" in value or "language" in value or any(mark in first for mark in _SEGMENT_MARKS)
        ) and not _scored(segments)
    if isinstance(pieces, list) and pieces:
        return isinstance(pieces[0], dict) and "offsets" in pieces[0] and "text" in pieces[0]
    return value.get("task") in ("transcribe", "translate") and isinstance(value.get("text"), str)


def _scored(segments: list[Any]) -> bool:
    """Whether words have a `score`, which is WhisperX's."""
    words = next((item["words"] for item in segments if isinstance(item, dict) and item.get("words")), None)
    return isinstance(words, list) and any(isinstance(word, dict) and "score" in word for word in words)


def _segment(node: Node) -> Spoken:
    start_ms, end_ms = time_ms(node, "start", 1000), time_ms(node, "end", 1000)
    id_, confidence = label(node, "id"), node["confidence"].share()
    return Spoken(
        Role.UNKNOWN, words(node, "text") or "", start_ms, end_ms, label(node, "speaker"), node.pointer, id_, confidence
    )


def _piece(node: Node) -> Spoken:
    """A segment of whisper.cpp, whose speaker is `?` where it does not know."""
    offsets, speaker = node["offsets"], label(node, "speaker")
    start_ms, end_ms = time_ms(offsets, "from"), time_ms(offsets, "to")
    return Spoken(
        Role.UNKNOWN, node["text"].text(), start_ms, end_ms, None if speaker == "?" else speaker, node.pointer
    )


def _read(root: Node) -> Iterator[Entry]:
    if root.value.get("segments"):
        found = [_segment(node) for node in root["segments"]]
    elif root.value.get("transcription"):
        found = [_piece(node) for node in root["transcription"]]
    else:
        found = [Spoken(Role.UNKNOWN, root["text"].text(), None, None, None, root["text"].pointer)]
    metadata = stated(language=label(root, "language"))
    yield Entry(Conversation(in_order(found), channel=Channel.VOICE, metadata=metadata))


READER = JsonReader("whisper", "Whisper", _recognises, _read)

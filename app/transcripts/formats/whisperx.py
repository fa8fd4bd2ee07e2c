"""WhisperX: Whisper's segments with speakers and with words that are aligned to the sound.

    {"segments": [{"start", "end", "text", "speaker": "SPEAKER_00",
                   "words": [{"word", "start", "end", "score", "speaker"}]}],
     "word_segments": […], "language": "en"}

Times are in seconds. A segment may lack a speaker, and its words theirs; a numeral among the words has
neither times nor score. Where the segment names nobody but its words do, it is cut where they change.
See https://github.com/m-bain/whisperX (whisperx/schema.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader
from app.transcripts.shared.fields import label, mean_share, stated, time_ms
from app.transcripts.shared.recognised import utterances
from app.transcripts.shared.spoken import Spoken, in_order
from app.transcripts.tree import Node

_LABEL = re.compile(r"SPEAKER_\d{1,4}", re.ASCII)


def _is_marked(segment: Any) -> bool:
    """Whether a segment has a speaker as pyannote numbers them, or a word with a score."""
    if not isinstance(segment, dict):
        return False
    speaker, words = segment.get("speaker"), segment.get("words")
    if isinstance(speaker, str) and _LABEL.fullmatch(speaker):
        return True
    return isinstance(words, list) and any(isinstance(word, dict) and "score" in word for word in words)


def _recognises(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("segments"), list) or not value["segments"]:
        return False
    first = value["segments"][0]
    if not isinstance(first, dict) or not first.keys() >= {"start", "end", "text"}:
        return False
    return "word_segments" in value or any(map(_is_marked, value["segments"]))


def _said(node: Node) -> Iterator[Spoken]:
    speaker = label(node, "speaker")
    spoken = list(utterances(node["words"], 1000, confidence="score")) if speaker is None else []
    names = {item.speaker for item in spoken}
    if len(names) > 1:
        yield from spoken
        return
    words = node["words"].value if isinstance(node["words"].value, list) else []
    yield Spoken(
        Role.UNKNOWN,
        node["text"].text(),
        time_ms(node, "start", 1000),
        time_ms(node, "end", 1000),
        next(iter(names), None) if speaker is None else speaker,
        node.pointer,
        confidence=mean_share(word.get("score") for word in words if isinstance(word, dict)),
    )


def _read(root: Node) -> Iterator[Entry]:
    found = [item for node in root["segments"] for item in _said(node)]
    metadata = stated(language=label(root, "language"))
    yield Entry(Conversation(in_order(found), channel=Channel.VOICE, metadata=metadata))


READER = JsonReader("whisperx", "WhisperX", _recognises, _read)

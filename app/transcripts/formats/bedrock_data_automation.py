"""Amazon Bedrock Data Automation: the standard output of an audio file.

    {"metadata": {"semantic_modality": "AUDIO", "s3_key": "…"}, "audio_items": [],
     "audio_segments": [{"segment_index", "type": "TRANSCRIPT", "text", "start_timestamp_millis",
                         "end_timestamp_millis", "speaker": {"speaker_label": "spk_0"},
                         "channel": {"channel_label": "ch_0"}}]}

Speakers are labels alone: who is the agent is for the caller to say. `asset_id` counts the files of
a job from 0 and tells no two calls apart, so that the file's key stands for the id. Words are also
listed one by one, and once more in `audio` and `topics`, all of which is left aside.
Source: Amazon Bedrock User Guide, "Bedrock Data Automation output for audio".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut
from app.transcripts.shared.amazon import speakers
from app.transcripts.shared.fields import label, stated, time_ms, words
from app.transcripts.shared.spoken import Spoken, in_order
from app.transcripts.tree import Node


def _recognises(value: Any) -> bool:
    if not isinstance(value, dict) or "audio_segments" not in value:
        return False
    segments = value["audio_segments"]
    return label(Node(value), "metadata", "semantic_modality") == "AUDIO" or any(
        isinstance(segment, dict) and "start_timestamp_millis" in segment
        for segment in (segments[:3] if isinstance(segments, list) else ())
    )


def _read(root: Node) -> Iterator[Entry]:
    segments: list[tuple[Node, str]] = []
    left_out: list[LeftOut] = []
    for segment in root["audio_segments"].items():
        text = words(segment, "text")
        if label(segment, "type") not in (None, "TRANSCRIPT"):
            left_out.append(LeftOut(segment.pointer, "no speech"))
        elif text is None:
            left_out.append(LeftOut(segment.pointer, "no words"))
        else:
            segments.append((segment, text))
    pairs = [(label(item, "speaker", "speaker_label"), label(item, "channel", "channel_label")) for item, _ in segments]
    found = [_spoken(*segment, speaker) for segment, speaker in zip(segments, speakers(pairs), strict=True)]
    conversation = Conversation(
        in_order(found),
        id=label(root, "metadata", "s3_key"),
        channel=Channel.VOICE,
        metadata=stated(language=label(root, "metadata", "dominant_asset_language")),
    )
    yield Entry(conversation, left_out=tuple(left_out))


def _spoken(segment: Node, text: str, speaker: str | None) -> Spoken:
    start_ms, end_ms = time_ms(segment, "start_timestamp_millis"), time_ms(segment, "end_timestamp_millis")
    return Spoken(Role.UNKNOWN, text, start_ms, end_ms, speaker, segment.pointer, label(segment, "segment_index"))


READER = JsonReader("bedrock_data_automation", "Amazon Bedrock Data Automation", _recognises, _read)

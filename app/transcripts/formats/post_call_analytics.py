"""AWS Post Call Analytics, Amazon's sample solution around Transcribe: its parsed output of a call.

    {"ConversationAnalytics": {"GUID": "…", "SpeakerLabels": [{"Speaker": "spk_0", "DisplayText": "Agent"}],
                               "CategoriesDetected": [{"Name"}]},
     "SpeechSegments": [{"SegmentStartTime": 0.64, "SegmentEndTime": 3.7, "SegmentSpeaker": "spk_0",
                         "DisplayText": "…", "OriginalText": "…", "IVRSegment": false,
                         "WordConfidence": [{"Text", "Confidence"}]}]}

A speaker's `DisplayText` is `Agent` or `Customer` where Call Analytics knew, else whatever whoever
installed it chose, or a name. `IVRSegment` marks the voice of a machine, whoever's label it has.
`DisplayText` of a segment is `OriginalText` as later edited. `GUID` is the text `None` where the
file's name held none; the job's name stands for it then. Times are in seconds.
Source: the repository aws-samples/amazon-transcribe-post-call-analytics, docs/output_json_structure.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut
from app.transcripts.shared.fields import label, labels, mean_share, objects, stated, words
from app.transcripts.shared.spoken import Spoken, in_order
from app.transcripts.tree import Node

_STATED = {"agent": Role.AGENT, "customer": Role.CUSTOMER}


def _recognises(value: Any) -> bool:
    return isinstance(value, dict) and "SpeechSegments" in value and "ConversationAnalytics" in value


def _given(node: Node, *path: str) -> str | None:
    """A text that is not Python's `None` in letters."""
    text = label(node, *path)
    return None if text == "None" else text


def _names(header: Node) -> dict[str, str]:
    """What each speaker is called; two of one name keep the solution's own `spk_0` and `spk_1`, roles aside."""
    rows = objects(header, "SpeakerLabels")
    found = {label(row, "Speaker") or "": _given(row, "DisplayText") or "" for row in rows}
    uses = Counter(found.values())
    return {name: text for name, text in found.items() if text and (uses[text] == 1 or text.lower() in _STATED)}


def _spoken(segment: Node, text: str, names: dict[str, str]) -> Spoken:
    own = label(segment, "SegmentSpeaker")
    speaker = names.get(own or "") or own
    role = Role.BOT if segment["IVRSegment"].value in (True, 1) else _STATED.get((speaker or "").lower(), Role.UNKNOWN)
    listed = segment["WordConfidence"].value
    confidence = mean_share(
        word.get("Confidence") for word in (listed if isinstance(listed, list) else ()) if isinstance(word, dict)
    )
    start_ms, end_ms = segment["SegmentStartTime"].milliseconds(1000), segment["SegmentEndTime"].milliseconds(1000)
    return Spoken(role, text, start_ms, end_ms, speaker, segment.pointer, confidence=confidence)


def _read(root: Node) -> Iterator[Entry]:
    header = root["ConversationAnalytics"]
    if not isinstance(header.value, dict):
        raise header.error("must be an object")
    names = _names(header)
    found: list[Spoken] = []
    left_out: list[LeftOut] = []
    for segment in root["SpeechSegments"].items():
        text = words(segment, "DisplayText", "OriginalText")
        if text:
            found.append(_spoken(segment, text, names))
        else:
            left_out.append(LeftOut(segment.pointer, "no words"))
    jobs = labels(header, "SourceInformation", "TranscribeJobInfo", "TranscriptionJobName")
    conversation = Conversation(
        in_order(found),
        id=_given(header, "GUID") or next(iter(jobs), None),
        channel=Channel.VOICE,
        metadata=stated(agent=_given(header, "Agent"), language=label(header, "LanguageCode")),
        source_categories=labels(header, "CategoriesDetected", "Name"),
    )
    yield Entry(conversation, left_out=tuple(left_out))


READER = JsonReader("post_call_analytics", "AWS Post Call Analytics", _recognises, _read)

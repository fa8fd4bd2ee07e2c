"""Amazon Transcribe Call Analytics: the analysis of a call after it, one JSON document a job.

    {"JobName": "…", "JobStatus": "COMPLETED", "Channel": "VOICE", "Participants": [{"ParticipantRole"}],
     "Transcript": [{"Id", "ParticipantRole", "Content", "BeginOffsetMillis", "EndOffsetMillis",
                     "Items": [{"Type", "Content", "Confidence"}]}], "Categories": {"MatchedCategories": []}}

Contact Lens is built on it and writes the same names, but neither `JobName` nor `Items`. There is no
id of the call, so that the job's name stands for it. A turn's confidence is the mean of its words'.
Turns are sorted by their start, since both sides talk at once.
Source: Amazon Transcribe Developer Guide, "Post-call analytics output".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation
from app.transcripts.reader import Entry, JsonReader
from app.transcripts.shared.amazon import call_turns, is_analysed_call, is_by_transcribe, matched_categories
from app.transcripts.shared.fields import label, mean_share, stated
from app.transcripts.tree import Node


def _recognises(value: Any) -> bool:
    return is_analysed_call(value) and is_by_transcribe(value)


def _confidence(turn: Node) -> float | None:
    """The mean of the words; punctuation has a confidence of nought."""
    items = turn["Items"].value
    return mean_share(
        item.get("Confidence")
        for item in (items if isinstance(items, list) else ())
        if isinstance(item, dict) and item.get("Type") != "punctuation"
    )


def _read(root: Node) -> Iterator[Entry]:
    turns, left_out = call_turns(root, _confidence)
    conversation = Conversation(
        turns,
        id=label(root, "JobName"),
        channel=Channel.VOICE,
        metadata=stated(language=label(root, "LanguageCode")),
        source_categories=matched_categories(root),
    )
    yield Entry(conversation, left_out=left_out)


READER = JsonReader("transcribe_call_analytics", "Amazon Transcribe Call Analytics", _recognises, _read)

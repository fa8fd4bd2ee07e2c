"""Amazon Connect Contact Lens: the analysis of a call after it, one JSON document a contact.

    {"Version": "1.1.0", "Channel": "VOICE", "Participants": [{"ParticipantId", "ParticipantRole"}],
     "Transcript": [{"Id", "ParticipantId", "Content", "BeginOffsetMillis", "EndOffsetMillis"}],
     "Categories": {"MatchedCategories": []}, "CustomerMetadata": {"ContactId"}}

A turn's participant is often `AGENT` or `CUSTOMER` itself, but may be any id that `Participants`
lists. A supervisor is of neither side. Redacted documents hold `[PII]` in the text, which stays.
Turns are sorted by their start, since both sides talk at once.
Transcribe Call Analytics writes the same names; it has `JobName` or words in `Items`.
Source: Amazon Connect Administrator Guide, "Example Contact Lens output files for a call".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation
from app.transcripts.reader import Entry, JsonReader
from app.transcripts.shared.amazon import call_turns, is_analysed_call, is_by_transcribe, matched_categories
from app.transcripts.shared.fields import label, stated
from app.transcripts.tree import Node


def _recognises(value: Any) -> bool:
    return is_analysed_call(value) and not is_by_transcribe(value)


def _read(root: Node) -> Iterator[Entry]:
    turns, left_out = call_turns(root)
    conversation = Conversation(
        turns,
        id=label(root, "CustomerMetadata", "ContactId") or label(root, "ContactId"),
        channel=Channel.VOICE,
        metadata=stated(language=label(root, "LanguageCode")),
        source_categories=matched_categories(root),
    )
    yield Entry(conversation, left_out=left_out)


READER = JsonReader("contact_lens", "Amazon Connect Contact Lens, calls", _recognises, _read)

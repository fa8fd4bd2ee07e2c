"""Amazon Connect chats: the transcript as Connect stores it, and Contact Lens' analysis of it.

    {"Version": "2019-08-26", "ContactId": "…", "Participants": [{"ParticipantId"}],
     "Transcript": [{"Id", "Type": "MESSAGE", "ParticipantId", "ParticipantRole", "DisplayName",
                     "ContentType": "text/plain", "Content", "AbsoluteTime": "2022-10-27T03:31:50.735Z"}]}

The analysis has `Version` `CHAT-2022-11-30`, that of the transcript in `ChatTranscriptVersion`, and
`Categories`. Only messages of text are turns: events (joined, left, ended), attachments and the
menus of interactive messages, which are JSON in a string, are left out. Messages of a flow are of
`SYSTEM`, those of a bot of `CUSTOM_BOT`; a supervisor is of neither side. Names in redacted
documents may all be `[PII]`, so roles never go by them. Turns are sorted by their time, which is
given from the first turn on.
Source: Amazon Connect Administrator Guide, "Example Contact Lens output files for a chat".
"""

from __future__ import annotations

from collections.abc import Iterator

from app.core.conversation import Channel, Conversation
from app.transcripts.reader import Entry, JsonReader, LeftOut
from app.transcripts.shared.amazon import chat_turn, is_chat, matched_categories, participants, why_no_turn
from app.transcripts.shared.fields import label, stated
from app.transcripts.shared.spoken import Spoken, from_origin, in_order
from app.transcripts.tree import Node


def _read(root: Node) -> Iterator[Entry]:
    listed = participants(root)
    found: list[Spoken] = []
    left_out: list[LeftOut] = []
    for item in root["Transcript"].items():
        reason = why_no_turn(item)
        if reason:
            left_out.append(LeftOut(item.pointer, reason))
        else:
            found.append(chat_turn(item, listed))
    conversation = Conversation(
        in_order(from_origin(found)),
        id=label(root, "CustomerMetadata", "ContactId") or label(root, "ContactId") or label(root, "InitialContactId"),
        channel=Channel.CHAT,
        metadata=stated(language=label(root, "LanguageCode")),
        source_categories=matched_categories(root),
    )
    yield Entry(conversation, left_out=tuple(left_out))


READER = JsonReader("contact_lens_chat", "Amazon Connect and Contact Lens, chats", is_chat, _read)

"""Twilio: sentences of Conversational Intelligence and messages of Conversations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings

from app.core.conversation import Channel, Conversation, Role
from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.reader import Entry
from app.transcripts.registry import read
from tests.transcripts.mutations import changed_documents, check

SAMPLES = Path(__file__).parent / "samples"
UNKNOWN = Role.UNKNOWN


def entry(sample: str) -> tuple[Entry, Conversation]:
    (found,) = read(Document.of((SAMPLES / sample).read_bytes()))
    assert isinstance(found.outcome, Conversation), found.outcome
    return found, found.outcome


def test_sentences_are_ordered_by_their_index_and_times_may_be_texts_or_null() -> None:
    found, conversation = entry("twilio_intelligence/page.json")
    assert (conversation.id, conversation.channel) == ("GT0000000000000000000000000000000a", Channel.VOICE)
    assert [(turn.role, turn.speaker, turn.start_ms, turn.end_ms, turn.confidence) for turn in conversation.turns] == [
        (UNKNOWN, "channel 1", 200, 1950, 0.97),
        (UNKNOWN, "channel 2", 2100, 4050, 0.91),
        (UNKNOWN, "channel 1", None, None, None),
    ]
    assert [turn.pointer for turn in conversation.turns] == ["/sentences/1", "/sentences/0", "/sentences/2"]
    assert conversation.turns[0].id == "GX00000000000000000000000000000001"
    assert conversation.turns[-1].text == "It never goes up in price, I promise."
    assert [left.where for left in found.left_out] == ["/sentences/3", "/meta/next_page_url"]


def test_the_pages_of_one_transcript_are_one_conversation() -> None:
    found, conversation = entry("twilio_intelligence/pages_in_a_list.json")
    assert [turn.text for turn in conversation.turns] == ["Good morning.", "Morning."]
    assert (conversation.id, found.left_out) == ("GTb", ())


def test_the_transcripts_own_participants_and_operators_are_used() -> None:
    _, conversation = entry("twilio_intelligence/with_operators_and_participants.json")
    # Both sentences have one id in the source.
    assert [(turn.id, turn.role) for turn in conversation.turns] == [("0", Role.CUSTOMER), ("1", Role.AGENT)]
    assert conversation.source_categories == ("sale",)


def test_results_of_operators_alone_are_no_transcript() -> None:
    document = {"operator_results": [{"operator_type": "conversation-classify"}], "meta": {"key": "operator_results"}}
    (found,) = read(Document.of(json.dumps(document).encode()))
    assert isinstance(found.outcome, UnreadableTranscript)
    assert "language operators" in str(found.outcome)


def test_messages_are_ordered_by_index_and_media_is_left_out() -> None:
    found, conversation = entry("twilio_conversations/messages.json")
    assert (conversation.id, conversation.channel) == ("CH1", Channel.CHAT)
    assert [(turn.id, turn.speaker, turn.start_ms, turn.text) for turn in conversation.turns] == [
        ("IM1", "+15550100001", 0, "Hi, any offers on fibre?"),
        ("IM2", "kofi.desk", 30_500, "Yes: 20 for the first year."),
        ("IM3", "+15550100001", 41_000, "Is that per month?"),
    ]
    assert {turn.role for turn in conversation.turns} == {UNKNOWN}
    assert [(left.where, left.reason) for left in found.left_out] == [
        ("/messages/3", "media without words"),
        ("/messages/4", "no words"),
    ]


def test_messages_may_be_a_bare_list_without_times() -> None:
    _, conversation = entry("twilio_conversations/bare.json")
    assert [(turn.speaker, turn.start_ms, turn.pointer) for turn in conversation.turns] == [("visitor-9", None, "/0")]


@pytest.mark.parametrize("wrong", ["yesterday", "2025-99-01T00:00:00Z", 5])
def test_a_wrong_date_is_named_and_not_quoted(wrong: object) -> None:
    message = {"conversation_sid": "CH1", "author": "a", "body": "x", "date_created": wrong}
    (found,) = read(Document.of(json.dumps({"messages": [message]}).encode()))
    assert isinstance(found.outcome, UnreadableTranscript)
    assert str(found.outcome).startswith("`messages[0].date_created` must be")
    assert "yesterday" not in str(found.outcome)


@given(changed_documents("twilio_intelligence") | changed_documents("twilio_conversations"))
@settings(max_examples=250, deadline=None)
def test_a_changed_sample_breaks_nothing(content: bytes) -> None:
    check(content)

"""Azure: what Azure Speech recognised, and conversations as Azure Language takes them."""

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


def entries(sample: str) -> list[tuple[Entry, Conversation]]:
    found = []
    for entry in read(Document.of((SAMPLES / sample).read_bytes())):
        assert isinstance(entry.outcome, Conversation), entry.outcome
        found.append((entry, entry.outcome))
    return found


def said(conversation: Conversation) -> list[tuple[str | None, int | None, int | None, str]]:
    return [(turn.speaker, turn.start_ms, turn.end_ms, turn.text) for turn in conversation.turns]


def test_phrases_have_times_in_ticks_durations_or_milliseconds() -> None:
    ((entry, conversation),) = entries("azure_speech/diarised.json")
    assert said(conversation) == [
        ("1", 40, 1200, "Good morning."),
        ("2", 62_500, 63_500, "Is it safe?"),
        ("1", 64_000, 64_900, "nothing is safer"),
    ]
    assert conversation.channel is Channel.VOICE
    assert {turn.role for turn in conversation.turns} == {Role.UNKNOWN}
    assert (conversation.turns[0].confidence, conversation.turns[1].pointer) == (0.95, "/recognizedPhrases/2")
    assert [left.where for left in entry.left_out] == ["/recognizedPhrases/1"]


def test_phrases_of_two_channels_are_told_in_the_order_of_speaking() -> None:
    ((_, conversation),) = entries("azure_speech/stereo.json")
    assert said(conversation) == [
        ("channel 0", 500, 1500, "Hello."),
        ("channel 1", 2000, 3000, "No, thanks."),
        ("channel 0", 4000, 5000, "Bye."),
    ]


def test_fast_transcription_is_read_too() -> None:
    ((_, conversation),) = entries("azure_speech/fast.json")
    assert said(conversation) == [("1", 40, 1040, "Last chance."), ("2", 1200, 1800, "I see.")]


@pytest.mark.parametrize("wrong", ["P", "PT", "1.5", "PT1X", "PT" + "9" * 50 + "S"])
def test_a_wrong_duration_is_named(wrong: str) -> None:
    phrase = {"recognitionStatus": "Success", "offset": wrong, "nBest": [{"display": "x"}]}
    (entry,) = read(Document.of(json.dumps({"recognizedPhrases": [phrase]}).encode()))
    assert isinstance(entry.outcome, UnreadableTranscript)
    assert str(entry.outcome).startswith("`recognizedPhrases[0].offset` must be an ISO 8601 duration")


def test_each_conversation_of_a_document_is_one() -> None:
    (first, one), (_, two) = entries("azure_language/two_conversations.json")
    assert [(one.id, one.channel), (two.id, two.channel)] == [("conv-1", Channel.VOICE), ("conv-2", Channel.CHAT)]
    assert said(one) == [("Agent", 1170, 1490, "You will never lose money."), ("Customer", None, None, "Never?")]
    # The participant's name is no statement of the source; `role` is.
    assert {turn.role for turn in one.turns} == {Role.UNKNOWN}
    assert [left.where for left in first.left_out] == ["/analysisInput/conversations/0/conversationItems/2"]
    # Two items have one id.
    assert [(turn.id, turn.role, turn.speaker) for turn in two.turns] == [
        ("0", Role.AGENT, "Ines_1"),
        ("1", Role.CUSTOMER, "7"),
        ("2", Role.UNKNOWN, "x"),
    ]


def test_a_broken_conversation_leaves_the_others() -> None:
    broken = {"conversationItems": [{"participantId": "0", "id": "1", "text": ["x"]}]}
    whole = {"conversationItems": [{"participantId": "0", "id": "1", "text": "It is me."}]}
    document = {"analysisInput": {"conversations": [broken, whole]}}
    first, second = read(Document.of(json.dumps(document).encode()))
    assert isinstance(first.outcome, UnreadableTranscript)
    assert isinstance(second.outcome, Conversation)


@given(changed_documents("azure_speech") | changed_documents("azure_language"))
@settings(max_examples=300, deadline=None)
def test_a_changed_sample_breaks_nothing(content: bytes) -> None:
    check(content)

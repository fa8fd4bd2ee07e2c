"""AssemblyAI: utterances, what is rebuilt where they are null, and live turns."""

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


def entry(content: bytes) -> tuple[Entry, Conversation]:
    (found,) = read(Document.of(content))
    assert isinstance(found.outcome, Conversation), found.outcome
    assert {turn.role for turn in found.outcome.turns} == {Role.UNKNOWN}
    return found, found.outcome


def sample(name: str) -> tuple[Entry, Conversation]:
    return entry((SAMPLES / name).read_bytes())


def said(conversation: Conversation) -> list[tuple[str | None, int | None, int | None, str]]:
    return [(turn.speaker, turn.start_ms, turn.end_ms, turn.text) for turn in conversation.turns]


def test_utterances_are_turns_of_lettered_speakers() -> None:
    _, conversation = sample("assemblyai/utterances.json")
    assert (conversation.id, conversation.channel) == ("tr-1", Channel.VOICE)
    assert conversation.source_categories == ("Finance>Insurance",)
    assert said(conversation) == [
        ("A", 240, 1900, "Hello, Birch Insurance."),
        ("B", 2100, 4100, "Hi. Can you cancel anytime?"),
        ("A", 4300, 5000, "You can."),
    ]
    assert (conversation.turns[2].pointer, conversation.turns[2].confidence) == ("/utterances/2", 1.0)


def test_words_make_the_turns_where_utterances_are_null() -> None:
    _, conversation = sample("assemblyai/words_with_speakers.json")
    assert said(conversation) == [
        ("B", 100, 2500, "Fine, then."),
        ("A", 2600, 2900, "Good."),
        ("B", 3000, 3200, "Bye."),
    ]
    _, conversation = sample("assemblyai/words_without_speakers.json")
    assert said(conversation) == [(None, 0, 500, "It is free."), (None, 1400, 1800, "Really?")]


def test_channels_are_named_as_such() -> None:
    _, conversation = sample("assemblyai/channels.json")
    assert [turn.speaker for turn in conversation.turns] == ["channel 1", "2A", "2B"]


def test_the_text_is_a_turn_where_there_are_no_words() -> None:
    _, conversation = entry(json.dumps({"id": "x", "status": "completed", "words": None, "text": "All."}).encode())
    assert [(turn.text, turn.pointer) for turn in conversation.turns] == [("All.", "/text")]


@pytest.mark.parametrize("status", ["error", "queued", "processing"])
def test_a_transcript_that_is_not_there_says_so(status: str) -> None:
    content = json.dumps({"id": "x", "status": status, "words": None, "utterances": None, "text": None}).encode()
    (found,) = read(Document.of(content))
    assert isinstance(found.outcome, UnreadableTranscript)
    assert "completed" in str(found.outcome)


def test_of_live_turns_the_last_ended_one_counts() -> None:
    found, conversation = sample("assemblyai_live/stream.jsonl")
    assert conversation.id == "session-1"
    assert said(conversation) == [("A", 1920, 2600, "Good evening."), (None, 4000, 4200, "how")]
    assert [turn.is_final for turn in conversation.turns] == [True, False]
    assert [left.where for left in found.left_out] == ["line 1", "line 2", "line 3", "line 4", "line 7"]


def test_live_turns_may_be_a_list() -> None:
    turns = [{"type": "Turn", "turn_order": 0, "end_of_turn": True, "transcript": "Hi.", "words": []}]
    _, conversation = entry(json.dumps(turns).encode())
    assert [(turn.text, turn.pointer) for turn in conversation.turns] == [("Hi.", "/0")]


@given(changed_documents("assemblyai") | changed_documents("assemblyai_live"))
@settings(max_examples=300, deadline=None)
def test_a_changed_sample_breaks_nothing(content: bytes) -> None:
    check(content)

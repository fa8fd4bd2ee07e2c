"""Gong: monologues of sentences, and parties that stand beside them or do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from app.core.conversation import Channel, Role
from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.registry import read, read_value
from app.transcripts.tree import Node
from tests.transcripts.mutations import changed_documents, check
from tests.transcripts.reading import conversation, conversation_of, entries

SAMPLES = Path(__file__).parent / "samples" / "gong"
AGENT, CUSTOMER, UNKNOWN = Role.AGENT, Role.CUSTOMER, Role.UNKNOWN
PARTIES = [{"speakerId": "1", "name": "Ada", "affiliation": "Internal"}]


def test_several_calls_of_which_one_has_parties() -> None:
    first, second = entries(SAMPLES / "transcripts.json")
    found = conversation(first)
    assert (found.id, found.channel) == ("7000000000000000001", Channel.VOICE)
    assert found.source_categories == ("Call Setup", "Pricing")
    assert [(turn.role, turn.speaker, turn.start_ms, turn.end_ms) for turn in found.turns] == [
        (AGENT, "Kofi Mensah", 1200, 2900),
        (AGENT, "Kofi Mensah", 3000, 6400),
        (CUSTOMER, "Lena Ott", 5900, 6300),
        (UNKNOWN, "max@example.com", 8000, 9500),
        (AGENT, "Kofi Mensah", 10000, 12500),
        (UNKNOWN, "599", 13000, 13900),
    ]
    assert (found.turns[0].text, found.turns[-1].text) == ("Morning, Kofi from Reed Analytics.", "That is fair.")
    assert found.turns[1].pointer == "/callTranscripts/0/transcript/0/sentences/1"
    where = "/callTranscripts/0/transcript/2/sentences/1"
    assert [(left.where, left.reason) for left in first.left_out] == [(where, "no words")]
    other = conversation(second)
    assert (other.id, other.source_categories) == ("7000000000000000002", ())
    assert [(turn.role, turn.speaker) for turn in other.turns] == [(UNKNOWN, "777")]


def test_a_call_with_both_in_one() -> None:
    (entry,) = entries(SAMPLES / "call.json")
    found = conversation(entry)
    assert found.id == "7000000000000000003"
    assert [(turn.role, turn.speaker) for turn in found.turns] == [(AGENT, "Ada"), (CUSTOMER, "Bo")]


MONOLOGUES = [{"speakerId": 1, "topic": None, "sentences": [{"start": 0, "end": 5, "text": "x"}]}]


@pytest.mark.parametrize(
    "value",
    [
        {"callTranscripts": [{"callId": "c", "transcript": MONOLOGUES}], "parties": PARTIES},
        {"callTranscripts": [{"callId": "c", "transcript": MONOLOGUES, "parties": PARTIES}]},
        {"callTranscripts": [{"callId": "c", "transcript": MONOLOGUES}], "calls": [{"id": "c", "parties": PARTIES}]},
        {"calls": [{"metaData": {"id": "c"}, "parties": PARTIES, "transcript": MONOLOGUES}]},
        {"callId": "c", "parties": PARTIES, "transcript": MONOLOGUES},
    ],
)
def test_parties_are_found_wherever_they_stand(value: Any) -> None:
    found = conversation_of(value)
    assert found.id == "c"
    assert [(turn.role, turn.speaker) for turn in found.turns] == [(AGENT, "Ada")]


def test_sentences_are_put_in_the_order_in_which_they_were_spoken() -> None:
    transcript = [
        {"speakerId": "1", "sentences": [{"start": 0, "text": "a"}, {"start": 900, "text": "c"}]},
        {"speakerId": "2", "sentences": [{"start": 400, "text": "b"}]},
    ]
    assert [turn.text for turn in conversation_of({"callId": "c", "transcript": transcript}).turns] == ["a", "b", "c"]


def test_a_broken_call_is_named_and_the_others_are_read() -> None:
    value = json.loads((SAMPLES / "transcripts.json").read_text())
    value["callTranscripts"][0]["transcript"][1]["sentences"][0]["text"] = 7
    value["callTranscripts"].append(None)
    first, second, third = read_value(Node(value))
    assert isinstance(first.outcome, UnreadableTranscript)
    assert str(first.outcome) == "`callTranscripts[0].transcript[1].sentences[0].text` must be a text"
    assert len(conversation(second).turns) == 1
    assert str(third.outcome) == "`callTranscripts[2]` must be an object"


def test_an_answer_without_calls_is_an_error() -> None:
    (entry,) = read(Document.of(b'{"requestId": "r", "callTranscripts": []}'))
    assert str(entry.outcome).startswith("`callTranscripts` is empty")


@settings(max_examples=60, deadline=None)
@given(changed_documents("gong"))
def test_a_changed_document_breaks_nothing(content: bytes) -> None:
    check(content)

"""RingCentral: insights of a call, and the older analysis of an interaction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from app.core.conversation import Channel, Role
from app.core.errors import UnreadableTranscript
from app.transcripts.registry import read_value
from app.transcripts.tree import Node
from tests.transcripts.mutations import changed_documents, check
from tests.transcripts.reading import conversation, conversation_of, entries

SAMPLES = Path(__file__).parent / "samples" / "ringcentral"
AGENT, UNKNOWN = Role.AGENT, Role.UNKNOWN


def test_an_event_with_staff_a_customer_and_a_stranger() -> None:
    (entry,) = entries(SAMPLES / "webhook.json")
    found = conversation(entry)
    assert (found.id, found.channel) == ("p-v-01", Channel.VOICE)
    assert found.metadata == {"direction": "Inbound", "session": "s-v-01", "owner_extension": "700100"}
    assert [(turn.role, turn.speaker, turn.start_ms, turn.end_ms) for turn in found.turns] == [
        (AGENT, "Petra Lund", 1520, 3200),
        (UNKNOWN, "Customer", 4000, 6480),
        (AGENT, "Petra Lund", 7000, 9360),
        (AGENT, "Ivo Stern", 10000, 12000),
        (UNKNOWN, "c-2", 12400, 13000),
        (UNKNOWN, "Customer", 14000, 15120),
    ]
    assert (found.turns[0].text, found.turns[-1].text) == ("Lund Garden Tools, Petra speaking.", "Lovely.")
    assert found.turns[2].pointer == "/body/insights/Transcript/3"
    assert [(left.where, left.reason) for left in entry.left_out] == [("/body/insights/Transcript/2", "no words")]


def test_the_body_alone_reads_as_the_event_does() -> None:
    event = json.loads((SAMPLES / "webhook.json").read_text())
    assert [turn.text for turn in conversation_of(event["body"]).turns] == [
        turn.text for turn in conversation_of(event).turns
    ]


def test_the_recordings_of_a_session_are_conversations_of_their_own() -> None:
    found = [conversation(entry) for entry in entries(SAMPLES / "session.json")]
    assert [(item.id, len(item.turns)) for item in found] == [("p-v-01", 6), ("p-v-02", 6)]


def test_the_older_analysis() -> None:
    (entry,) = entries(SAMPLES / "analysis.json")
    found = conversation(entry)
    assert (found.id, found.channel, found.source_categories) == ("job-1", Channel.VOICE, ("rail tickets",))
    assert [(turn.role, turn.speaker, turn.start_ms, turn.end_ms, turn.confidence) for turn in found.turns] == [
        (UNKNOWN, "0", 400, 2500, 0.87),
        (UNKNOWN, "1", 2600, 4100, 0.9),
        (UNKNOWN, "0", 4300, 6000, 0.7),
    ]


def test_speech_to_text_and_an_analysis_without_its_envelope() -> None:
    utterances = [{"start": 1, "end": 2, "text": "x", "speakerId": 7}]
    api = "/ai/audio/v1/async/speech-to-text"
    assert conversation_of({"jobId": "j", "api": api, "response": {"utterances": utterances}}).turns[0].speaker == "7"
    assert conversation_of({"utteranceInsights": utterances}).turns[0].pointer == "/utteranceInsights/0"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("text", {}, "`utteranceInsights[0].text` must be a text"),
        ("start", "x", "`utteranceInsights[0].start` must be a "),
        ("end", float("nan"), "`utteranceInsights[0].end` must be a "),
    ],
)
def test_a_broken_utterance_is_named(field: str, value: Any, expected: str) -> None:
    with pytest.raises(UnreadableTranscript) as caught:
        conversation_of({"utteranceInsights": [{"text": "x", field: value}]})
    assert str(caught.value).startswith(expected)


def test_a_record_without_transcript_spoils_no_session() -> None:
    session = json.loads((SAMPLES / "session.json").read_text())
    del session["records"][1]["insights"]
    first, second = read_value(Node(session))
    assert len(conversation(first).turns) == 6
    assert str(second.outcome).startswith("`records[1]` holds no `insights`")


@settings(max_examples=60, deadline=None)
@given(changed_documents("ringcentral"))
def test_a_changed_document_breaks_nothing(content: bytes) -> None:
    check(content)

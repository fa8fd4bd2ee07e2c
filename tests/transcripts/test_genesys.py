"""Genesys Cloud: who spoke for the company, and messages of one conversation that come in pieces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from app.core.conversation import Channel, Conversation, Role
from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.intake import take
from app.transcripts.registry import read
from tests.transcripts.mutations import changed_documents, check
from tests.transcripts.reading import conversation, conversation_of, entries

SAMPLES = Path(__file__).parent / "samples"
AGENT, CUSTOMER, BOT, UNKNOWN = Role.AGENT, Role.CUSTOMER, Role.BOT, Role.UNKNOWN
INES, OLAF = "5f0a1c2e-0001-4000-8000-00000000a001", "5f0a1c2e-0002-4000-8000-00000000a002"


def transcript() -> Any:
    return json.loads((SAMPLES / "genesys_cloud" / "transfer.json").read_text())


def test_a_call_with_an_ivr_and_a_transfer() -> None:
    (entry,) = entries(SAMPLES / "genesys_cloud/transfer.json")
    found = conversation(entry)
    assert (found.id, found.channel) == ("5f0a1c2e-1111-4000-8000-00000000c001", Channel.VOICE)
    assert found.metadata == {
        "communication": "5f0a1c2e-2222-4000-8000-00000000c002",
        "language": "en-us",
        "queues": "queue-boats, queue-moorings",
        "agents": f"{INES}, {OLAF}",
    }
    assert found.source_categories == ("Pricing", "Transfer")
    assert [(turn.id, turn.role, turn.speaker) for turn in found.turns] == [
        ("0", BOT, "ivr"),
        ("1", CUSTOMER, "external"),
        ("2", BOT, "acd"),
        ("3", AGENT, INES),
        ("4", CUSTOMER, "external"),
        ("6", AGENT, INES),
        ("7", CUSTOMER, "external"),
        ("8", AGENT, INES),
        ("9", BOT, "acd"),
        ("10", AGENT, OLAF),
        ("11", CUSTOMER, "external"),
    ]
    first, last = found.turns[0], found.turns[-1]
    assert (first.text, first.start_ms, first.end_ms) == ("Welcome to Harbour Row. Say boats or moorings.", 500, 4500)
    assert (first.confidence, first.pointer) == (0.91, "/transcripts/0/phrases/0")
    assert (last.text, last.start_ms, last.end_ms) == ("Thank you, I will think it over.", 46000, None)
    assert found.turns[5].text == "we have one with a new sail"
    assert [(left.where, left.reason) for left in entry.left_out] == [("/transcripts/0/phrases/5", "no words")]


def test_without_participants_nobody_is_an_agent() -> None:
    (entry,) = entries(SAMPLES / "genesys_cloud/bare.json")
    found = conversation(entry)
    assert found.channel is Channel.CHAT
    assert [(turn.role, turn.speaker, turn.start_ms) for turn in found.turns] == [
        (CUSTOMER, "external", 0),
        (UNKNOWN, "internal", 8000),
        (CUSTOMER, "external", 14000),
    ]
    # Two transcripts count their phrases each from 0.
    assert [turn.id for turn in found.turns] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("participants", "expected"),
    [
        ([{"participantPurpose": "agent", "userId": "u", "startTimeMs": 0, "endTimeMs": 100}], (AGENT, "u")),
        ([{"participantPurpose": "user", "startTimeMs": 0}], (AGENT, "user")),
        ([{"participantPurpose": "internal", "userId": "u", "startTimeMs": 0, "endTimeMs": 100}], (AGENT, "u")),
        ([{"participantPurpose": "internal", "startTimeMs": 0, "endTimeMs": 100}], (UNKNOWN, "internal")),
        ([{"participantPurpose": "IVR", "startTimeMs": 0, "endTimeMs": 100}], (BOT, "ivr")),
        ([{"flowId": "f", "startTimeMs": 0, "endTimeMs": 100}], (BOT, "internal")),
        # An agent whose times are a little off, and a bot that had left.
        ([{"participantPurpose": "agent", "userId": "u", "startTimeMs": 60, "endTimeMs": 100}], (AGENT, "u")),
        ([{"participantPurpose": "ivr", "startTimeMs": 0, "endTimeMs": 49}], (UNKNOWN, "internal")),
        # The moment at which the last one leaves, and at which another takes over.
        ([{"participantPurpose": "ivr", "startTimeMs": 0, "endTimeMs": 50}], (BOT, "ivr")),
        (
            [
                {"participantPurpose": "ivr", "startTimeMs": 0, "endTimeMs": 50},
                {"participantPurpose": "agent", "userId": "u", "startTimeMs": 50, "endTimeMs": 100},
            ],
            (AGENT, "u"),
        ),
        # A bot that is on the line all along, and one that takes a card number meanwhile.
        (
            [
                {"participantPurpose": "ivr", "startTimeMs": 0, "endTimeMs": None},
                {"participantPurpose": "agent", "userId": "u", "startTimeMs": 20, "endTimeMs": 100},
            ],
            (AGENT, "u"),
        ),
        (
            [
                {"participantPurpose": "agent", "userId": "u", "startTimeMs": 20, "endTimeMs": 100},
                {"participantPurpose": "ivr", "startTimeMs": 40, "endTimeMs": 60},
            ],
            (BOT, "ivr"),
        ),
        ([{"participantPurpose": "external", "startTimeMs": 0, "endTimeMs": 100}], (UNKNOWN, "internal")),
        (None, (UNKNOWN, "internal")),
    ],
)
def test_who_of_the_company_spoke(participants: Any, expected: tuple[Role, str]) -> None:
    phrases = [{"participantPurpose": "internal", "text": "x", "startTimeMs": 50}]
    (turn,) = conversation_of({"participants": participants, "transcripts": [{"phrases": phrases}]}).turns
    assert (turn.role, turn.speaker) == expected


def test_many_participants_take_no_longer_than_they_must() -> None:
    people = [{"participantPurpose": "agent", "userId": "u", "startTimeMs": n, "endTimeMs": 10**9} for n in range(9000)]
    phrases = [{"participantPurpose": "internal", "text": "x", "startTimeMs": n} for n in range(9000)]
    found = conversation_of({"participants": people, "transcripts": [{"phrases": phrases}]})
    assert all(turn.role is AGENT for turn in found.turns)


def test_offsets_and_durations_in_either_form() -> None:
    phrases: list[Any] = [
        {"participantPurpose": "external", "text": "a", "offset": {"milliseconds": 40}, "durationMs": 10},
        {"participantPurpose": "external", "text": "b", "startTimeMs": "70", "duration": 5},
    ]
    found = conversation_of({"transcripts": [{"phrases": phrases}]})
    assert [(turn.start_ms, turn.end_ms) for turn in found.turns] == [(40, 50), (70, 75)]


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("text", 3, "`transcripts[0].phrases[0].text` must be a text"),
        ("startTimeMs", "soon", "`transcripts[0].phrases[0].startTimeMs` must be a "),
        ("startTimeMs", 10**400, "`transcripts[0].phrases[0].startTimeMs` must be a "),
        ("startTimeMs", -1, "`transcripts[0].phrases[0].startTimeMs` must be a "),
        ("duration", [], "`transcripts[0].phrases[0].duration` must be a "),
    ],
)
def test_a_broken_phrase_is_named(place: str, value: Any, expected: str) -> None:
    phrase = {"participantPurpose": "external", "text": "a", place: value}
    with pytest.raises(UnreadableTranscript) as caught:
        conversation_of({"transcripts": [{"phrases": [phrase]}]})
    assert str(caught.value).startswith(expected)


EXPECTED = [
    ("u1", UNKNOWN, "internal", "Good morning, Tuck and Sons.", 800, 2900, True),
    ("u2", CUSTOMER, "external", "Hello, do you fit tyres?", 3500, 5300, True),
    ("u3", UNKNOWN, "internal", "Workshop, good morning.", 20400, 21900, True),
    ("u4", CUSTOMER, "external", "I need four by Friday", 22300, 23800, False),
]


@pytest.mark.parametrize("name", ["stream.jsonl", "eventbridge.json", "bodies.json"])
def test_messages_of_one_conversation_are_put_together(name: str) -> None:
    found = conversation(entries(SAMPLES / f"genesys_notification/{name}")[0])
    assert (found.id, found.channel, found.metadata) == (
        "7b000000-0000-4000-8000-00000000000a",
        Channel.VOICE,
        {"language": "en-US"},
    )
    assert [
        (turn.id, turn.role, turn.speaker, turn.text, turn.start_ms, turn.end_ms, turn.is_final) for turn in found.turns
    ] == EXPECTED


def test_lines_of_two_conversations_and_what_is_left_out() -> None:
    first, second = entries(SAMPLES / "genesys_notification/stream.jsonl")
    assert (first.line, first.format) == (None, "genesys_notification")
    assert [(left.where, left.reason) for left in first.left_out] == [
        ("line 1", "a notification of another topic"),
        ("line 6", "a notification of another topic"),
        ("line 2", "a message without words"),
        ("line 3", "partial, replaced by a final one"),
        ("line 7", "the same once more"),
        ("line 9", "partial, replaced by a later one"),
    ]
    (turn,) = conversation(second).turns
    assert (turn.text, turn.start_ms, turn.pointer) == ("Is anybody there?", 1200, "line 5")
    assert second.left_out == ()


def test_a_single_message_in_a_document_and_as_a_value() -> None:
    path = SAMPLES / "genesys_notification" / "single.json"
    (entry,) = entries(SAMPLES / "genesys_notification/single.json")
    assert conversation(entry).turns[0].pointer == "/eventBody/transcripts/0"
    assert conversation_of(json.loads(path.read_text())) == entry.outcome


def test_a_message_that_was_kept_with_one_transcript() -> None:
    result = {"utteranceId": "u", "channel": "EXTERNAL", "alternatives": [{"transcript": "hello"}]}
    found = conversation_of({"conversationId": "c", "receivedAt": 1.5, "transcript": result})
    assert [(turn.id, turn.role, turn.text, turn.start_ms) for turn in found.turns] == [("u", CUSTOMER, "hello", None)]


def test_the_likeliest_alternative_is_taken() -> None:
    alternatives = [
        {"transcript": "a", "confidence": 0.2},
        {"transcript": " ", "confidence": 0.9},
        {"transcript": "c", "confidence": 0.3},
    ]
    result = {"channel": "BOTH", "alternatives": alternatives}
    (turn,) = conversation_of({"conversationId": "c", "transcripts": [result]}).turns
    assert (turn.text, turn.role, turn.speaker, turn.confidence, turn.is_final) == ("c", UNKNOWN, "both", 0.3, True)


def test_utterances_without_ids_are_told_apart_by_where_they_begin() -> None:
    def result(text: str, offset: int | None, final: bool) -> Any:
        alternative = {"transcript": text, "offsetMs": offset}
        return {"utteranceId": None, "channel": "EXTERNAL", "isFinal": final, "alternatives": [alternative]}

    results = [result("one", 10, False), result("one two", 10, True), result("x", None, True), result("x", None, True)]
    found = conversation_of({"conversationId": "c", "transcripts": results})
    assert [(turn.id, turn.text, turn.is_final) for turn in found.turns] == [
        ("0", "one two", True),
        ("1", "x", True),
        ("2", "x", True),
    ]


def test_a_broken_line_is_named_and_the_others_are_read() -> None:
    lines = (SAMPLES / "genesys_notification" / "stream.jsonl").read_text().splitlines()
    content = "\n".join([lines[1], "{broken", "", '{"some": "thing"}', lines[3], lines[4].replace("1200", '"x"')])
    found = list(read(Document.of(content.encode())))
    errors = [(entry.line, str(entry.outcome)) for entry in found if isinstance(entry.outcome, UnreadableTranscript)]
    assert [line for line, _ in errors] == [2, 4, 6]
    assert errors[0][1].startswith("line 2: not valid JSON")
    assert errors[1][1] == "line 4: the document must be a notification of Genesys Cloud"
    assert errors[2][1].startswith("line 6: `eventBody.transcripts[0].alternatives[0].offsetMs` must be a ")
    assert len(conversation(found[3]).turns) == 2


def test_a_session_in_which_nobody_spoke_is_an_error() -> None:
    lines = (SAMPLES / "genesys_notification" / "stream.jsonl").read_text().splitlines()
    (entry,) = read(Document.of(lines[1].encode()))
    assert "without a single turn" in str(entry.outcome)


def test_roles_that_are_left_are_found_by_the_intake() -> None:
    document = Document.of((SAMPLES / "genesys_notification" / "stream.jsonl").read_bytes())
    first = next(take(document, {"internal": BOT}))
    assert isinstance(first.outcome, Conversation)
    assert [turn.role for turn in first.outcome.turns] == [BOT, CUSTOMER, BOT, CUSTOMER]


@settings(max_examples=60, deadline=None)
@given(changed_documents("genesys_cloud"))
def test_a_changed_transcript_breaks_nothing(content: bytes) -> None:
    check(content)


@settings(max_examples=60, deadline=None)
@given(changed_documents("genesys_notification"))
def test_a_changed_notification_breaks_nothing(content: bytes) -> None:
    check(content)

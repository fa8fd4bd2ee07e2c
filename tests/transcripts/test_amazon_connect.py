"""Amazon Connect: analysed calls and chats, and the live stream of segments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from app.core.conversation import Channel, Conversation, Role
from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.reader import Entry
from app.transcripts.registry import read
from tests.transcripts.mutations import SAMPLES, changed_documents, check

AGENT, CUSTOMER, BOT, SYSTEM, UNKNOWN = Role.AGENT, Role.CUSTOMER, Role.BOT, Role.SYSTEM, Role.UNKNOWN


def entries(name: str) -> list[Entry]:
    return list(read(Document.of((SAMPLES / name).read_bytes())))


def entry(name: str) -> tuple[Conversation, Entry]:
    (found,) = entries(name)
    assert isinstance(found.outcome, Conversation), found.outcome
    assert found.format == Path(name).parent.name
    return found.outcome, found


def read_json(value: Any) -> Conversation:
    (found,) = read(Document.of(json.dumps(value).encode()))
    assert isinstance(found.outcome, Conversation), found.outcome
    return found.outcome


def segment(kind: str, **fields: Any) -> dict[str, Any]:
    return {kind: {"ParticipantId": "AGENT", "ParticipantRole": "AGENT", **fields}}


def test_a_call_keeps_masks_ids_times_and_what_matched() -> None:
    found, whole = entry("contact_lens/call.json")
    assert found.id == "9f000000-1111-4222-8333-444444444401"
    assert (found.channel, found.metadata) == (Channel.VOICE, {"language": "en-GB"})
    assert found.source_categories == ("NoPriceTold", "Pushes to sign")
    assert [turn.role for turn in found.turns] == [AGENT, CUSTOMER, AGENT, CUSTOMER, CUSTOMER]
    assert [turn.start_ms for turn in found.turns] == [1020, 4300, 7400, 9900, 12300]
    first, *_, last = found.turns
    assert (first.id, first.end_ms) == ("1a2b3c4d-0000-4000-8000-000000000001", 4100)
    assert first.text == "Good morning, Larkfield Windows, this is [PII]."
    assert (last.text, last.pointer) == ("My number is [PII], call me back.", "/Transcript/4")
    assert [(left.where, left.reason) for left in whole.left_out] == [("/Transcript/5", "no words")]


def test_participants_of_any_id_have_the_role_that_is_listed() -> None:
    found, _ = entry("contact_lens/transfer.json")
    assert [(turn.role, turn.speaker) for turn in found.turns] == [
        (SYSTEM, "p-76"),
        (BOT, "p-75"),
        (CUSTOMER, "p-72"),
        (AGENT, "p-71"),
        (AGENT, "p-73"),
        (UNKNOWN, "SUPERVISOR"),
        (UNKNOWN, "p-77"),
    ]
    assert (found.id, found.source_categories, [turn.id for turn in found.turns]) == (None, (), list("0123456"))


def test_a_stored_chat_gives_its_messages_of_text() -> None:
    found, whole = entry("contact_lens_chat/stored.json")
    assert (found.id, found.channel) == ("9f000000-1111-4222-8333-444444444412", Channel.CHAT)
    assert [(turn.id, turn.role, turn.speaker, turn.start_ms) for turn in found.turns] == [
        ("c002", SYSTEM, "SYSTEM_MESSAGE", 0),
        ("c003", BOT, "Otto", 1000),
        ("c005", CUSTOMER, "Mira", 4500),
        ("c006", AGENT, "Jan", 9250),
        ("c008", UNKNOWN, "SUPERVISOR", 24000),
        ("c010", AGENT, "Jan", 29000),
    ]
    assert found.turns[2].text == "My bill is wrong.\nCan a person help?"
    assert [left.reason for left in whole.left_out] == [
        "an event",
        "an interactive message, no text",
        "an attachment",
        "no words",
        "an event",
    ]


def test_an_analysed_chat_goes_by_participants_and_never_by_masked_names() -> None:
    found, _ = entry("contact_lens_chat/analysed.json")
    assert (found.id, found.source_categories) == ("9f000000-1111-4222-8333-444444444413", ("agent-intro",))
    assert [(turn.role, turn.speaker) for turn in found.turns] == [(AGENT, "[PII]"), (CUSTOMER, "[PII]")]


def test_a_stream_is_told_apart_by_contact_and_partials_go_for_finals() -> None:
    first, second = entries("contact_lens_realtime/stream.jsonl")
    assert isinstance(first.outcome, Conversation)
    assert isinstance(second.outcome, Conversation)
    assert (first.outcome.id, first.outcome.source_categories) == ("k-1", ("Greeting", "Quote"))
    assert [(turn.id, turn.role, turn.text, turn.start_ms, turn.is_final) for turn in first.outcome.turns] == [
        ("t1", AGENT, "Hello, Larkfield. How can I help?", 500, True),
        ("t2", CUSTOMER, "Yes.", 3200, True),
        ("t3", CUSTOMER, "A quote, please, for [PII].", 3900, True),
    ]
    assert [turn.pointer for turn in first.outcome.turns] == ["line 4", "line 7", "line 8"]
    assert [left.where for left in first.left_out if left.reason == "partial, replaced by a final one"] == [
        "line 2",
        "line 4",
    ]
    assert [(turn.id, turn.text, turn.is_final) for turn in second.outcome.turns] == [
        ("v2", "Is it about my order?", False),
        ("w1", "It is.", True),
    ]
    assert {left.reason for left in second.left_out} == {
        "an event, no words",
        "partial, replaced by a later one",
        "partial, replaced by a final one",
    }


@pytest.mark.parametrize(
    ("name", "turns", "id_"),
    [
        ("event.json", ["t1"], "k-1"),
        ("list.json", ["t1", "t2", "t3"], "k-1"),
        ("firehose.txt", ["t1", "t3"], "k-1"),
        ("page.json", ["t1", "t2"], None),
        ("chat_page.json", ["m1", "m2"], None),
    ],
)
def test_other_ways_to_hold_a_stream(name: str, turns: list[str], id_: str | None) -> None:
    found, _ = entry(f"contact_lens_realtime/{name}")
    assert ([turn.id for turn in found.turns], found.id) == (turns, id_)
    assert found.channel is (Channel.CHAT if name.startswith("chat") else Channel.VOICE)


def test_pages_of_one_answer_are_one_conversation() -> None:
    pages = [
        {"Segments": [segment("Transcript", Id=str(n), Content=f"word {n}", BeginOffsetMillis=n, EndOffsetMillis=n)]}
        for n in (2, 1, 1, 3)
    ]
    assert [turn.text for turn in read_json(pages).turns] == ["word 1", "word 2", "word 3"]


def test_a_piece_stays_while_its_transcript_has_not_come() -> None:
    said = {"BeginOffsetMillis": 10, "EndOffsetMillis": 20, "PartialContent": "so far"}
    final = segment("Transcript", Id="t1", Content="earlier", BeginOffsetMillis=0, EndOffsetMillis=100)
    for fields, kept in (({"TranscriptId": "t2"}, True), ({"TranscriptId": "t1"}, False), ({}, False)):
        segments = [segment("Utterance", Id="u", **said, **fields), final]
        found = read_json({"ContactId": "c", "EventType": "SEGMENTS", "Segments": segments})
        assert [turn.text for turn in found.turns] == ["earlier", "so far"][: 1 + kept]


def test_a_broken_line_or_contact_leaves_the_others_whole() -> None:
    lines = (SAMPLES / "contact_lens_realtime/stream.jsonl").read_text().splitlines()
    broken = lines[1].replace("500", '"x"')
    assert broken != lines[1]
    found = list(read(Document.of("\n".join([lines[0], broken, "{zebra", '{"a": 1}', *lines[2:]]).encode())))
    errors = [str(item.outcome) for item in found if isinstance(item.outcome, UnreadableTranscript)]
    assert errors == [
        "line 3: not valid JSON; write one event on one line",
        "line 4: the document is no event of Contact Lens",
        "line 2: `Segments[0].Utterance.BeginOffsetMillis` must be a number",
    ]
    assert [item.outcome.id for item in found if isinstance(item.outcome, Conversation)] == ["k-2"]


@pytest.mark.parametrize(
    ("name", "path", "wrong", "expected"),
    [
        ("contact_lens/call.json", "BeginOffsetMillis", "soon", "`Transcript[0].BeginOffsetMillis` must be a number"),
        ("contact_lens/call.json", "Content", 7, "`Transcript[0].Content` must be a text"),
        ("contact_lens_chat/analysed.json", "AbsoluteTime", "noon", "`Transcript[0].AbsoluteTime` must be a date and"),
        ("contact_lens_chat/analysed.json", "Id", [], "`Transcript[0].Id` must be a text"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(name: str, path: str, wrong: object, expected: str) -> None:
    value = json.loads((SAMPLES / name).read_text())
    value["Transcript"][0][path] = wrong
    (found,) = read(Document.of(json.dumps(value).encode()))
    assert str(found.outcome).startswith(expected)


@given(changed_documents("contact_lens") | changed_documents("contact_lens_chat"))
def test_a_changed_analysis_breaks_nothing(content: bytes) -> None:
    check(content)


@given(changed_documents("contact_lens_realtime"))
def test_a_changed_stream_breaks_nothing(content: bytes) -> None:
    check(content)

"""Intercom conversations: which parts are messages, and whose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from app.core.conversation import Channel, Conversation, Role
from app.core.errors import UnreadableTranscript
from tests.transcripts.mutations import changed_documents, check
from tests.transcripts.reading import conversation, entries_of

SAMPLES = Path(__file__).parent / "samples" / "intercom"


def load(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text("utf-8"))


def test_messages_are_turns_whatever_their_sending_did_to_the_conversation() -> None:
    (found,) = entries_of(load("conversation.json"))
    talk = conversation(found)
    assert [(turn.id, turn.role, turn.speaker, turn.text, turn.start_ms) for turn in talk.turns] == [
        ("900", Role.CUSTOMER, "Lou Vane", "Hello,\nwhere is my parcel & the bill?", 0),
        ("901", Role.BOT, "Fin", "I am a bot. Pick one:\nParcel\nBill", 5_000),
        ("902", Role.CUSTOMER, "Lou Vane", "Parcel", 10_000),
        ("905", Role.AGENT, "Mo", "It left on Monday.\nAnything else?", 60_000),
        ("908", Role.AGENT, "Ada", "Bye.", 90_000),
        ("909", Role.CUSTOMER, "c-1", "Still nothing here.", 800_000),
    ]
    assert (talk.id, talk.channel, talk.source_categories) == ("7001", Channel.CHAT, ("Refund", "Shipping"))
    assert talk.metadata == {"agent": "31"}
    assert talk.turns[0].pointer == "/source"
    assert talk.turns[3].pointer == "/conversation_parts/conversation_parts/4"
    assert [(left.where.rpartition("/")[2], left.reason) for left in found.left_out] == [
        ("2", "a note"),
        ("3", "no words"),
        ("5", "deleted"),
        ("6", "no words"),
        ("9", "an event"),
        ("total_count", "further parts, which are not in the document"),
    ]


def test_a_page_a_list_and_an_event_hold_conversations() -> None:
    page = load("page.json")
    first, second = map(conversation, entries_of(page))
    assert [turn.text for turn in first.turns] == ["plain words\non two lines"]
    assert [(turn.role, turn.text, turn.start_ms) for turn in second.turns] == [
        (Role.AGENT, "Hi", 0),
        (Role.CUSTOMER, "Yes?", 30_000),
    ]
    assert [conversation(found).id for found in entries_of(page["conversations"])] == ["1", "2"]
    (event,) = entries_of({"type": "notification_event", "topic": "x", "data": {"item": load("conversation.json")}})
    assert len(conversation(event).turns) == 6


def test_the_first_message_comes_first_even_if_the_conversation_is_dated_later() -> None:
    value = load("conversation.json") | {"created_at": 1_800_000_000}
    turns = conversation(entries_of(value)[0]).turns
    assert [turn.id for turn in turns][:2] == ["900", "901"]
    assert [turn.start_ms for turn in turns][:3] == [None, 0, 5_000]


def test_an_answer_of_the_ai_agent_is_the_bots() -> None:
    value = load("conversation.json")
    value["conversation_parts"]["conversation_parts"][4]["author"]["from_ai_agent"] = True
    assert conversation(entries_of(value)[0]).turns[3].role is Role.BOT


def test_one_broken_conversation_of_a_page_is_an_error_of_its_own() -> None:
    page = load("page.json")
    page["conversations"][0]["source"]["body"] = 7
    first, second = entries_of(page)
    assert isinstance(first.outcome, UnreadableTranscript)
    assert str(first.outcome) == "`conversations[0].source.body` must be a text"
    assert isinstance(second.outcome, Conversation)


@pytest.mark.parametrize(
    "value", [{"conversations": []}, {"source": {"author": 1}}, {"type": "conversation"}, {"conversation_parts": 3}]
)
def test_what_only_looks_similar_is_not_taken(value: Any) -> None:
    assert {found.format for found in entries_of(value)} == {""}


@given(changed_documents("intercom"))
def test_a_changed_sample_breaks_nothing(content: bytes) -> None:
    check(content)

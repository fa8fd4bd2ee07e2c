"""Zendesk's chats and tickets: who is who, and what is no message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from app.core.conversation import Channel, Conversation, Role
from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.registry import read
from tests.transcripts.mutations import changed_documents, check
from tests.transcripts.reading import conversation, entries_of

SAMPLES = Path(__file__).parent / "samples"


def load(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text("utf-8"))


def test_a_chat() -> None:
    (found,) = entries_of(load("zendesk_chat/chat.json"))
    talk = conversation(found)
    assert [(turn.id, turn.role, turn.speaker, turn.text, turn.start_ms) for turn in talk.turns] == [
        ("m1", Role.CUSTOMER, "Visitor 81", "what does it cost?", 0),
        ("m2", Role.BOT, "Welcome", "All are busy.", 1_500),
        ("m3", Role.AGENT, "Kit", "Hi!\nTwenty.", 30_000),
        ("m4", Role.CUSTOMER, "Visitor", "a < b & c?", 49_000),
        ("m6", Role.AGENT, "Bo", "I take over.", 59_000),
    ]
    assert (talk.id, talk.channel, talk.source_categories) == ("2401.555.Abc", Channel.CHAT, ("pricing", "upgrade"))
    assert talk.metadata == {"agents": "Kit, Bo", "department": "Sales"}
    assert [left.reason for left in found.left_out] == [
        "an event",
        "an event",
        "an attachment",
        "no words",
        "an event",
        "an event",
    ]
    assert found.left_out[2].where == "/history/5"


def test_pages_of_chats_and_messages_left_behind() -> None:
    page = load("zendesk_chat/page.json")
    left, queued = map(conversation, entries_of(page))
    assert [(turn.role, turn.speaker, turn.text) for turn in left.turns] == [
        (Role.CUSTOMER, "Lou Vane", "Please call me back.")
    ]
    assert [turn.role for turn in queued.turns] == [Role.CUSTOMER, Role.SYSTEM]
    by_id = {"docs": {chat["id"]: chat for chat in page["chats"]}, "count": 2}
    assert [conversation(found).id for found in entries_of(by_id)] == ["1", "2"]


def test_a_broken_chat_of_a_page_is_an_error_of_its_own() -> None:
    page = load("zendesk_chat/page.json")
    page["chats"][1]["history"][0]["timestamp"] = "soon"
    first, second = entries_of(page)
    assert isinstance(first.outcome, Conversation)
    assert str(second.outcome) == "`chats[1].history[0].timestamp` must be a date and time in ISO 8601"


def test_a_ticket_with_side_loaded_users() -> None:
    (found,) = entries_of(load("zendesk_ticket/ticket.json"))
    talk = conversation(found)
    assert [(turn.id, turn.role, turn.speaker, turn.text) for turn in talk.turns] == [
        ("1001", Role.CUSTOMER, "Lou Vane", "I want to\xa0cancel.\n\nLou"),
        ("1002", Role.AGENT, "Mo", "Hello Lou,\nwhy?"),
        ("1005", Role.AGENT, "Ada", "We can do better."),
        ("1006", Role.SYSTEM, "system", "Closed for want of an answer."),
        ("1007", Role.UNKNOWN, "99", "And I?"),
    ]
    assert [turn.start_ms for turn in talk.turns][:3] == [0, 3_600_000, 4_200_000]
    assert (talk.id, talk.source_categories) == ("350", ("cancel", "vip"))
    assert talk.metadata == {"agent": "21", "via": "web"}
    assert [(left.where, left.reason) for left in found.left_out] == [
        ("/comments/2", "a private note"),
        ("/comments/3", "the record of a call"),
        ("/comments/7", "no words"),
    ]


def test_tickets_without_users_a_line_each() -> None:
    first, second = read(Document.of((SAMPLES / "zendesk_ticket" / "export.jsonl").read_bytes()))
    assert (first.line, second.line) == (1, 2)
    assert [(turn.role, turn.speaker, turn.text) for turn in conversation(first).turns] == [
        (Role.CUSTOMER, "Lou Vane", "Is it in stock?"),
        (Role.AGENT, "Mo", "It is."),
    ]
    assert [(turn.role, turn.speaker, turn.start_ms) for turn in conversation(second).turns] == [
        (Role.CUSTOMER, "82", None)
    ]


def test_comments_alone_have_no_roles_but_for_the_flags_of_users() -> None:
    whole = load("zendesk_ticket/ticket.json")
    comments = whole["comments"]
    for value in (comments, {"comments": comments}):
        turns = conversation(entries_of(value)[0]).turns
        assert {turn.role for turn in turns} == {Role.UNKNOWN, Role.SYSTEM}
        assert turns[0].speaker == "81"
    users = [{"id": 81, "name": "Lou", "agent": False}, {"id": 21, "name": "Mo", "agent": True}]
    turns = conversation(entries_of({"comments": comments, "users": users})[0]).turns
    assert [turn.role for turn in turns[:3]] == [Role.CUSTOMER, Role.AGENT, Role.UNKNOWN]
    nested = {"ticket": whole["ticket"] | {"comments": comments}, "users": whole["users"]}
    assert conversation(entries_of(nested)[0]).turns[0].pointer == "/ticket/comments/1"
    tickets = {"tickets": [whole["ticket"] | {"comments": comments}, {"id": 2, "comments": 3}]}
    good, bad = entries_of(tickets)
    assert conversation(good).id == "350"
    assert isinstance(bad.outcome, UnreadableTranscript)


@pytest.mark.parametrize(
    "value",
    [
        {"history": [{"type": "msg"}]},
        {"chats": [{}]},
        {"comments": [{"author_id": 1, "body": "x"}]},
        {"tickets": [{"id": 1}]},
        {"type": "offline_msg"},
    ],
)
def test_what_only_looks_similar_is_not_taken(value: Any) -> None:
    assert not {"zendesk_chat", "zendesk_ticket"} & {found.format for found in entries_of(value)}


@given(changed_documents("zendesk_chat"))
def test_a_changed_chat_breaks_nothing(content: bytes) -> None:
    check(content)


@given(changed_documents("zendesk_ticket"))
def test_a_changed_ticket_breaks_nothing(content: bytes) -> None:
    check(content)

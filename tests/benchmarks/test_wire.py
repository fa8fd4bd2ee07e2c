"""Everybody is asked about the same turns, and nothing that was sent is sent again."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import pytest

from app.core.chunks import CONTEXT_TOKENS
from app.core.conversation import Conversation, Role, Turn
from app.model.stub import StubClassifier
from benchmarks.calls import Calls, Load
from benchmarks.wire import ConversationWire, Request, TextWire
from benchmarks.work import conversation_flops, forward_flops

ENCODER = StubClassifier()


def call(turns: int, words: int = 5) -> Conversation:
    roles = (Role.AGENT, Role.CUSTOMER)
    return Conversation(
        tuple(
            Turn(str(index), roles[index % 2], " ".join(f"t{index}w{word}" for word in range(words)))
            for index in range(turns)
        )
    )


def body(request: Request) -> Any:
    return json.loads(request.content.partition(b"\r\n\r\n")[2])


def text_wire(*, many: bool = False) -> TextWire:
    return TextWire(ENCODER, "/classify", lambda texts: {"texts": texts}, len, many=many)


@pytest.mark.parametrize("load", ["calls", "live", "context", "bare"])
def test_every_turn_is_asked_about_once_on_either_wire(load: Load) -> None:
    for wire in (ConversationWire(ENCODER), text_wire(), text_wire(many=True)):
        session = wire.session(load, call(7))
        assert sum(request.turns for step in session for request in step) == 7


def test_a_text_is_a_turn_behind_the_last_tokens_before_it() -> None:
    conversation = call(60)
    (text,) = body(text_wire().newest(conversation))["texts"]
    assert " ".join(turn.text for turn in conversation.turns).endswith(text)
    assert CONTEXT_TOKENS - 12 <= len(text.split()) - 5 <= CONTEXT_TOKENS


def test_no_two_contexts_of_a_call_begin_alike() -> None:
    session = ConversationWire(ENCODER).session("context", call(60))
    first = [body(request)["conversation"]["turns"][0]["text"] for ((request,),) in zip(session, strict=True)]
    assert len(set(first)) == 60


def test_softsell_gets_the_same_context_as_turns() -> None:
    conversation = call(60)
    (last,) = ConversationWire(ENCODER).session("context", conversation)[-1]
    (text,) = text_wire().session("context", conversation)[-1]
    turns = body(last)["conversation"]["turns"]
    assert [" ".join(turn["text"] for turn in turns)] == body(text)["texts"]


def test_the_newest_turn_is_the_last_live_step() -> None:
    conversation = call(9)
    wire = ConversationWire(ENCODER)
    assert wire.session("live", conversation)[-1] == (wire.newest(conversation),)


def test_an_appended_turn_is_sent_once() -> None:
    session = ConversationWire(ENCODER).session("appended", call(7))
    sent = [turn["text"] for ((request,), _) in zip(session, range(7), strict=False) for turn in body(request)["turns"]]
    assert sent == [turn.text for turn in call(7).turns]
    ((end,),) = session[7:]
    assert end.turns == 0


def test_turns_of_a_call_go_side_by_side_or_in_one_list() -> None:
    assert [len(step) for step in text_wire().session("calls", call(7))] == [7]
    ((request,),) = text_wire(many=True).session("calls", call(7))
    assert len(body(request)["texts"]) == 7


def test_no_conversation_comes_twice() -> None:
    conversations = [call(12), call(5)]
    sent = [tuple(turn.text for turn in found.turns) for found in islice(Calls(conversations, "a"), 200)]
    assert len(set(sent)) == 200
    again = [tuple(turn.text for turn in found.turns) for found in islice(Calls(conversations, "a"), 200)]
    assert sent == again


def test_a_long_call_has_the_turns_asked_for() -> None:
    long = Calls([call(12)], "a").of_length(100)
    assert [turn.id for turn in long.turns] == [str(index) for index in range(100)]


def test_a_call_of_one_window_costs_its_tokens_once() -> None:
    assert conversation_flops([9, 19]) == forward_flops(30)

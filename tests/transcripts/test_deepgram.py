"""Deepgram: utterances, what is rebuilt where they are missing, and live messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from app.core.conversation import Channel, Conversation, Role
from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.reader import Entry
from app.transcripts.registry import read
from tests.transcripts.mutations import changed_documents, check

SAMPLES = Path(__file__).parent / "samples"


def entry(sample: str | Any) -> tuple[Entry, Conversation]:
    content = (SAMPLES / sample).read_bytes() if isinstance(sample, str) else json.dumps(sample).encode()
    (found,) = read(Document.of(content))
    assert isinstance(found.outcome, Conversation), found.outcome
    assert {turn.role for turn in found.outcome.turns} == {Role.UNKNOWN}
    return found, found.outcome


def said(conversation: Conversation) -> list[tuple[str | None, int | None, int | None, str]]:
    return [(turn.speaker, turn.start_ms, turn.end_ms, turn.text) for turn in conversation.turns]


def test_utterances_are_turns_and_blank_ones_are_not() -> None:
    _, conversation = entry("deepgram/utterances.json")
    assert (conversation.id, conversation.channel) == ("req-1", Channel.VOICE)
    assert conversation.source_categories == ("Contract",)
    assert said(conversation) == [
        ("0", 100, 1920, "Hi, this is Moss Energy."),
        ("0", 2400, 3700, "You must sign today."),
        ("1", 4000, 4600, "Must I?"),
        ("0", 6000, 6300, "Yes."),
    ]
    last = conversation.turns[-1]
    assert (last.id, last.pointer, last.confidence) == ("u-5", "/results/utterances/4", 0.7)


def test_words_make_the_turns_where_utterances_are_null() -> None:
    _, conversation = entry("deepgram/words_of_one_channel.json")
    assert said(conversation) == [
        ("0", 0, 700, "Well, hello there."),
        ("1", 900, 1000, "hi"),
        ("1", 2500, 2700, "Yes?"),
    ]
    assert conversation.turns[0].confidence == pytest.approx(0.7)
    assert conversation.turns[1].pointer == "/results/channels/0/alternatives/0/words/3"


def test_the_words_of_two_channels_are_told_in_the_order_of_speaking() -> None:
    _, conversation = entry("deepgram/words_of_two_channels.json")
    assert said(conversation) == [
        ("channel 0", 500, 900, "Good day."),
        ("channel 1", 2000, 2600, "Welcome."),
        ("channel 0", 5000, 5600, "Is it dear?"),
        ("channel 1", 6000, 6200, "No."),
    ]


def test_speakers_count_anew_on_each_channel() -> None:
    spoken = [
        {"start": 0, "end": 1, "transcript": "a", "channel": 0, "speaker": 0},
        {"start": 1, "end": 2, "transcript": "b", "channel": 1, "speaker": 0},
        {"start": 2, "end": 3, "transcript": "c", "channel": 1, "speaker": 1},
    ]
    _, conversation = entry({"results": {"channels": [{"alternatives": []}] * 2, "utterances": spoken}})
    assert [turn.speaker for turn in conversation.turns] == ["channel 0", "channel 1 speaker 0", "channel 1 speaker 1"]


def test_a_single_channel_without_speakers_has_no_label() -> None:
    spoken = [{"start": 3, "end": 2, "transcript": "a", "channel": 0}, {"start": 1, "end": 2, "transcript": "b"}]
    _, conversation = entry({"metadata": {"channels": 1}, "results": {"utterances": spoken[:1]}})
    # The end is before the start.
    assert said(conversation) == [(None, 3000, None, "a")]


def test_paragraphs_and_at_last_the_whole_text_stand_in_for_words() -> None:
    _, conversation = entry("deepgram/paragraphs.json")
    assert said(conversation) == [("0", 1000, 2200, "One thing. It is free."), ("1", 3000, 3200, "Oh.")]
    _, conversation = entry({"results": {"channels": [{"alternatives": [{"transcript": "All of it."}]}]}})
    assert said(conversation) == [(None, None, None, "All of it.")]


def test_a_list_of_live_messages_is_one_conversation() -> None:
    found, conversation = entry("deepgram/live_list.json")
    assert said(conversation) == [("0", 100, 500, "Hello, who is it?"), ("1", 600, 800, "Me.")]
    assert (conversation.id, [left.where for left in found.left_out]) == ("req-5", ["/0"])


def test_live_partials_give_way_to_what_replaces_them() -> None:
    found, conversation = entry("deepgram_live/stream.jsonl")
    assert said(conversation) == [
        ("channel 0", 0, 2000, "Our price is fixed."),
        ("channel 1", 500, 1200, "Mhm."),
        ("channel 1", 3000, 3700, "for how"),
    ]
    assert [(turn.is_final, turn.pointer) for turn in conversation.turns] == [
        (True, "line 5"),
        (True, "line 4"),
        (False, "line 8"),
    ]
    assert [(left.where, left.reason) for left in found.left_out] == [
        ("line 1", "a message without words"),
        ("line 2", "a message without words"),
        ("line 3", "partial, replaced by a final one"),
        ("line 7", "a message without words"),
        ("line 9", "no JSON object"),
    ]


def test_a_recording_without_words_is_an_error() -> None:
    document = {"results": {"channels": [{"alternatives": [{"transcript": "", "words": []}]}]}}
    (found,) = read(Document.of(json.dumps(document).encode()))
    assert isinstance(found.outcome, UnreadableTranscript)


@given(changed_documents("deepgram") | changed_documents("deepgram_live"))
@settings(max_examples=300, deadline=None)
def test_a_changed_sample_breaks_nothing(content: bytes) -> None:
    check(content)

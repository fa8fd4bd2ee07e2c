"""Amazon Transcribe and what is built on it: Call Analytics, Post Call Analytics; and Bedrock Data Automation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.document import Document
from app.transcripts.reader import Entry
from app.transcripts.registry import read
from tests.transcripts.mutations import SAMPLES, changed_documents, check

AGENT, CUSTOMER, BOT, UNKNOWN = Role.AGENT, Role.CUSTOMER, Role.BOT, Role.UNKNOWN


def entry(name: str) -> tuple[Conversation, Entry]:
    (found,) = read(Document.of((SAMPLES / name).read_bytes()))
    assert isinstance(found.outcome, Conversation), found.outcome
    assert found.format == Path(name).parent.name
    assert found.outcome.channel is Channel.VOICE
    return found.outcome, found


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


def said(conversation: Conversation) -> list[tuple[str | None, str, int | None, int | None]]:
    return [(turn.speaker, turn.text, turn.start_ms, turn.end_ms) for turn in conversation.turns]


def test_call_analytics_states_roles_and_its_words_give_the_confidence() -> None:
    found, _ = entry("transcribe_call_analytics/call.json")
    assert (found.id, found.metadata, found.source_categories) == (
        "larkfield-17.wav",
        {"language": "en-US"},
        ("No_Closing_Remark",),
    )
    assert [(turn.role, turn.confidence, turn.start_ms, turn.end_ms) for turn in found.turns] == [
        (AGENT, 0.85, 40, 1500),
        (CUSTOMER, None, 1900, 4100),
        (AGENT, None, 4000, 6000),
    ]
    assert found.turns[0].id == "1a2b3c4d-0000-4000-8000-000000000021"
    assert found.turns[0].text == "Thank you for holding."


def test_call_analytics_without_a_name_is_told_by_its_words() -> None:
    found, _ = entry("transcribe_call_analytics/unnamed.json")
    assert [(turn.id, turn.role, turn.text) for turn in found.turns] == [
        ("0", AGENT, "Buenos días."),
        ("1", CUSTOMER, "Hola."),
    ]


def test_segments_of_speaker_labels_are_turns() -> None:
    found, _ = entry("transcribe/speakers.json")
    expected = [
        ("spk_0", "Good day.", 500, 1200),
        ("spk_1", "Hi, what is it?", 1500, 2400),
        ("spk_0", "Double glazing.", 3000, 4000),
    ]
    assert said(found) == expected
    assert {turn.role for turn in found.turns} == {UNKNOWN}
    assert (found.id, found.turns[0].confidence) == ("larkfield-18", 0.9)
    assert found.turns[1].pointer == "/results/speaker_labels/segments/1"
    assert said(entry("transcribe/segments.json")[0]) == expected


def test_segments_that_list_no_words_go_by_their_start() -> None:
    value = sample("transcribe/speakers.json")
    for segment in value["results"]["speaker_labels"]["segments"]:
        del segment["items"]
    (found,) = read(Document.of(json.dumps(value).encode()))
    assert isinstance(found.outcome, Conversation)
    assert said(found.outcome) == said(entry("transcribe/speakers.json")[0])


def test_words_that_name_their_speaker_need_no_segments() -> None:
    value = sample("transcribe/segments.json")
    del value["results"]["audio_segments"]
    (found,) = read(Document.of(json.dumps(value).encode()))
    assert isinstance(found.outcome, Conversation)
    assert said(found.outcome) == said(entry("transcribe/speakers.json")[0])


def test_channels_are_cut_at_silences_and_at_ends_of_sentences_when_the_other_speaks() -> None:
    assert said(entry("transcribe/channels.json")[0]) == [
        ("channel 0", "Good day.", 500, 1200),
        ("channel 1", "Yes?", 1500, 1800),
        ("channel 0", "Your old ones", 2600, 3400),
        ("channel 1", "Mhm.", 2900, 3100),
        ("channel 0", "leak.", 6000, 6500),
        ("channel 1", "No", 7000, 7400),
    ]


def test_segments_of_channels_are_put_in_the_order_spoken() -> None:
    found, _ = entry("transcribe/channel_segments.json")
    assert [(turn.id, turn.speaker, turn.text) for turn in found.turns] == [
        ("0", "channel 0", "Good day."),
        ("1", "channel 1", "Hi, what is it?"),
        ("2", "channel 0", "Double glazing."),
    ]


def test_one_name_on_two_channels_is_two_voices() -> None:
    value = sample("transcribe/channel_segments.json")
    for segment in value["results"]["audio_segments"]:
        segment["speaker_label"] = "spk_0"
    (found,) = read(Document.of(json.dumps(value).encode()))
    assert isinstance(found.outcome, Conversation)
    assert [turn.speaker for turn in found.outcome.turns] == ["channel 0", "channel 1", "channel 0"]


def test_a_language_without_spaces_is_given_none() -> None:
    assert said(entry("transcribe/unlabelled.json")[0]) == [(None, "こんにちは。はい", 100, 1400)]


def test_post_call_analytics_gives_roles_by_its_own_labels_and_the_machine_apart() -> None:
    found, _ = entry("post_call_analytics/call.json")
    assert (found.id, found.source_categories) == ("larkfield-22.mp3", ("Price_Missing",))
    assert [(turn.role, turn.text, turn.start_ms, turn.end_ms) for turn in found.turns] == [
        (BOT, "Welcome to Larkfield.", 40, 1250),
        (AGENT, "This is [PII] speaking.", 3710, 6160),
        (CUSTOMER, "Hi there.", 6300, 7000),
        (AGENT, "Hello, how are you today?", 7040, 8561),
    ]
    assert found.turns[1].confidence == 0.75


def test_post_call_analytics_keeps_names_and_two_of_one_name_apart() -> None:
    found, whole = entry("post_call_analytics/named.json")
    assert (found.id, found.metadata["agent"]) == ("9f000000-1111-4222-8333-444444444421", "droy")
    assert said(found) == [
        ("Dana Roy", "Good evening.", 200, 900),
        ("spk_1", "Hello.", 1000, 1500),
        ("spk_2", "And me.", 1600, 2000),
        ("spk_3", "Who is that?", 2100, 2900),
    ]
    assert [left.where for left in whole.left_out] == ["/SpeechSegments/4"]


def test_bedrock_gives_labels_alone() -> None:
    found, whole = entry("bedrock_data_automation/call.json")
    assert (found.id, found.metadata) == ("calls/larkfield-23.wav", {"language": "EN"})
    assert said(found) == [
        ("spk_1", "Larkfield. How can I help?", 100, 1900),
        ("spk_0", "I left my card with you.", 2000, 4300),
        ("spk_1", "Oh,", 3900, 4200),
        ("spk_1", "let me look.", 4500, 5600),
    ]
    assert [turn.id for turn in found.turns] == ["0", "1", "2", "4"]
    assert [left.where for left in whole.left_out] == ["/audio_segments/3"]


def test_bedrock_without_speakers_has_the_channel_and_an_end_before_its_start_is_none() -> None:
    found, whole = entry("bedrock_data_automation/one_voice.json")
    assert said(found) == [("channel 0", "Hello?", 0, 900), (None, "Nobody there.", 1000, None)]
    assert [left.reason for left in whole.left_out] == ["no speech"]


@pytest.mark.parametrize(
    ("name", "path", "wrong", "expected"),
    [
        (
            "transcribe/speakers.json",
            ("results", "items", 0, "start_time"),
            "soon",
            "`results.items[0].start_time` must",
        ),
        (
            "transcribe/speakers.json",
            ("results", "items", 0, "start_time"),
            "nan",
            "`results.items[0].start_time` must",
        ),
        ("transcribe/speakers.json", ("results", "items", 0), None, "`results.items[0]` must be an object"),
        ("transcribe/segments.json", ("results", "audio_segments"), 7, "`results.audio_segments` must be a list"),
        (
            "post_call_analytics/call.json",
            ("ConversationAnalytics",),
            None,
            "`ConversationAnalytics` must be an object",
        ),
        ("post_call_analytics/call.json", ("SpeechSegments", 0, "SegmentStartTime"), "0.04", "`SpeechSegments[0].Seg"),
        ("bedrock_data_automation/call.json", ("audio_segments", 0, "text"), 1, "`audio_segments[0].text` must be a"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(name: str, path: tuple[Any, ...], wrong: object, expected: str) -> None:
    value = parent = sample(name)
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = wrong
    (found,) = read(Document.of(json.dumps(value).encode()))
    assert str(found.outcome).startswith(expected)


@given(changed_documents("transcribe"))
def test_a_changed_job_breaks_nothing(content: bytes) -> None:
    check(content)


@given(changed_documents("transcribe_call_analytics") | changed_documents("post_call_analytics"))
def test_a_changed_analysis_breaks_nothing(content: bytes) -> None:
    check(content)


@given(changed_documents("bedrock_data_automation"))
def test_a_changed_output_breaks_nothing(content: bytes) -> None:
    check(content)

"""Google Cloud CX Insights: the form of an upload, and that of the API."""

from __future__ import annotations

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

SAMPLES = Path(__file__).parent / "samples" / "google_ccai"
AGENT, CUSTOMER, BOT, UNKNOWN = Role.AGENT, Role.CUSTOMER, Role.BOT, Role.UNKNOWN


def test_an_upload_with_a_bot_and_two_agents() -> None:
    (entry,) = entries(SAMPLES / "upload.json")
    found = conversation(entry)
    assert (found.id, found.channel, found.source_categories) == (None, None, ("Upgrades", "Billing"))
    assert [(turn.id, turn.role, turn.speaker, turn.start_ms) for turn in found.turns] == [
        ("0", BOT, "0", 0),
        ("1", AGENT, "31", 6500),
        ("2", CUSTOMER, "9001", 9250),
        ("3", AGENT, "31", 12000),
        ("4", AGENT, "44", 20000),
        ("5", CUSTOMER, "9001", 24000),
        ("6", AGENT, "44", 27750),
    ]
    assert (found.turns[0].text, found.turns[-1].text) == (
        "Thank you for calling Larkspur Phones. One moment.",
        "Twenty a month.",
    )
    assert found.turns[-1].pointer == "/entries/7"
    assert [(left.where, left.reason) for left in entry.left_out] == [("/entries/4", "no words")]


def test_a_call_as_the_api_gives_it() -> None:
    (entry,) = entries(SAMPLES / "conversation.json")
    found = conversation(entry)
    assert (found.id, found.channel) == ("conv-77", Channel.VOICE)
    assert found.metadata == {"language": "en-US", "agent": "a-5"}
    assert found.source_categories == ("Stock",)
    assert [(turn.role, turn.speaker, turn.start_ms, turn.end_ms, turn.confidence) for turn in found.turns] == [
        (BOT, "AUTOMATED_AGENT", 200, 1600, None),
        (AGENT, "a-5", 4000, 5300, 0.93),
        (CUSTOMER, "channel 1", 6250, 7400, 0.88),
        (AGENT, "channel 2", 9000, 10100, 0.9),
    ]
    assert found.turns[-1].pointer == "/transcript/transcriptSegments/4"


def test_a_page_of_chats_with_names_in_snake_case() -> None:
    first, second = map(conversation, entries(SAMPLES / "page.json"))
    assert (first.id, first.channel, second.id) == ("chat-1", Channel.CHAT, "chat-2")
    assert [(turn.role, turn.speaker, turn.start_ms) for turn in first.turns] == [
        (CUSTOMER, "u-1", 2250),
        (AGENT, "a-1", 31123),
        (UNKNOWN, "ANY_AGENT", 40000),
    ]
    assert [(turn.role, turn.start_ms) for turn in second.turns] == [(CUSTOMER, None)]


def test_offsets_stay_and_turns_are_put_in_order() -> None:
    entries: list[Any] = [
        {"text": "b", "role": "agent", "user_id": "x", "start_timestamp_usec": "3000000"},
        {"text": "a", "role": "SOMEBODY", "user_id": None, "start_timestamp_usec": 1500000},
    ]
    found = conversation_of({"entries": entries})
    assert [(turn.text, turn.role, turn.speaker, turn.start_ms) for turn in found.turns] == [
        ("a", UNKNOWN, "SOMEBODY", 1500),
        ("b", AGENT, "x", 3000),
    ]


def test_segments_of_which_some_have_no_words_go_by_the_time_of_their_message() -> None:
    words = [{"startOffset": "5s", "endOffset": "6.500s"}]
    segments: list[Any] = [
        {"text": "a", "messageTime": "2024-05-01T10:00:01Z", "words": words},
        {"text": "b", "messageTime": "2024-05-01T10:00:04.5Z"},
    ]
    found = conversation_of({"transcript": {"transcriptSegments": segments}})
    assert [(turn.start_ms, turn.end_ms) for turn in found.turns] == [(0, 1500), (3500, None)]


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ({"text": ["x"]}, "`transcript.transcriptSegments[0].text` must be a text"),
        ({"text": "x", "words": 3}, "`transcript.transcriptSegments[0].words` must be a list"),
        ({"text": "x", "words": [{"startOffset": 1}]}, "`transcript.transcriptSegments[0].words[0].startOffset` must"),
        ({"text": "x", "messageTime": "noon"}, "`transcript.transcriptSegments[0].messageTime` must be a date"),
        ({"text": "x", "messageTime": "0001-01-01T00:00:00+14:00"}, "`transcript.transcriptSegments[0].messageTime`"),
    ],
)
def test_a_broken_segment_is_named(segment: Any, expected: str) -> None:
    with pytest.raises(UnreadableTranscript) as caught:
        conversation_of({"transcript": {"transcriptSegments": [segment]}})
    assert str(caught.value).startswith(expected)


def test_a_conversation_without_transcript_spoils_no_page() -> None:
    segments = [{"text": "x"}]
    page = {"conversations": [{"transcript": {"transcriptSegments": segments}}, {"name": "n"}]}
    first, second = read_value(Node(page))
    assert len(conversation(first).turns) == 1
    assert str(second.outcome).startswith("`conversations[1]` holds no `transcript`")


@settings(max_examples=60, deadline=None)
@given(changed_documents("google_ccai"))
def test_a_changed_document_breaks_nothing(content: bytes) -> None:
    check(content)

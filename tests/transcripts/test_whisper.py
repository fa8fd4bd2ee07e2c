"""Whisper and WhisperX: segments without and with speakers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.document import Document
from app.transcripts.formats import whisper, whisperx
from app.transcripts.registry import read
from tests.transcripts.mutations import changed_documents, check

SAMPLES = Path(__file__).parent / "samples"


def conversation(sample: str) -> Conversation:
    (entry,) = read(Document.of((SAMPLES / sample).read_bytes()))
    assert isinstance(entry.outcome, Conversation), entry.outcome
    assert {turn.role for turn in entry.outcome.turns} == {Role.UNKNOWN}
    assert entry.outcome.channel is Channel.VOICE
    return entry.outcome


def said(found: Conversation) -> list[tuple[str | None, int | None, int | None, str]]:
    return [(turn.speaker, turn.start_ms, turn.end_ms, turn.text) for turn in found.turns]


def test_segments_have_no_speaker_and_keep_their_texts() -> None:
    found = conversation("whisper/verbose.json")
    assert said(found) == [(None, 0, 1840, " Good afternoon."), (None, 2500, 6200, " Your rate is guaranteed.")]
    assert [(turn.id, turn.pointer) for turn in found.turns] == [("0", "/segments/0"), ("2", "/segments/2")]
    assert found.metadata == {"language": "english"}


def test_whisper_timestamped_has_a_confidence() -> None:
    (turn,) = conversation("whisper/timestamped.json").turns
    assert (turn.text, turn.start_ms, turn.end_ms, turn.confidence) == (" Any questions?", 120, 1620, 0.89)


def test_the_text_is_the_turn_where_only_words_were_asked_for() -> None:
    assert said(conversation("whisper/words_only.json")) == [(None, None, None, "Any news?")]


def test_diarised_segments_have_letters() -> None:
    assert said(conversation("whisper/diarised.json")) == [
        ("A", 0, 1500, "Shall I sign you up?"),
        ("B", 1900, 2200, "No."),
    ]


def test_offsets_of_whisper_cpp_are_milliseconds() -> None:
    assert said(conversation("whisper/cpp.json")) == [
        ("0", 0, 3000, " It is a bond."),
        (None, 3000, 4200, " A bond?"),
    ]


def test_whisperx_segments_and_words_name_the_speakers() -> None:
    found = conversation("whisperx/segments.json")
    assert said(found) == [
        ("SPEAKER_00", 31, 1613, " Hello, Sable Travel."),
        ("SPEAKER_01", 2000, 4000, "That is 200 for two."),
        ("SPEAKER_00", 4500, 4900, "Is it?"),
        ("SPEAKER_01", 5000, 5300, "It is."),
        (None, 7000, 7500, "(music)"),
    ]
    assert found.turns[0].confidence == pytest.approx(0.7)
    assert found.turns[2].pointer == "/segments/2/words/0"


@pytest.mark.parametrize(
    ("extra", "segment", "expected"),
    [
        ({"language": "en"}, {}, "whisper"),
        ({}, {"tokens": []}, "whisper"),
        ({"text": "x"}, {"words": [{"word": "x", "probability": 0.5}]}, "whisper"),
        ({"language": "en"}, {"words": [{"word": "x", "score": 0.5}]}, "whisperx"),
        ({"word_segments": []}, {}, "whisperx"),
        ({"word_segments": []}, {"speaker": "Ada"}, "whisperx"),
        ({}, {"speaker": "SPEAKER_01"}, "whisperx"),
        ({"language": "en"}, {"speaker": "Ada"}, None),
        ({}, {}, None),
    ],
)
def test_the_two_are_told_apart(extra: dict[str, object], segment: dict[str, object], expected: str | None) -> None:
    value = {"segments": [{"start": 0.0, "end": 1.0, "text": "x"} | segment]} | extra
    taken = [module.READER.name for module in (whisper, whisperx) if module.READER.recognises(value)]
    assert taken == ([] if expected is None else [expected])


@given(changed_documents("whisper") | changed_documents("whisperx"))
@settings(max_examples=300, deadline=None)
def test_a_changed_sample_breaks_nothing(content: bytes) -> None:
    check(content)

"""WebVTT and SRT: who says what in which cue, and what only looks like a subtitle."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.document import Document
from app.transcripts.reader import Entry
from app.transcripts.registry import read
from tests.transcripts.mutations import changed_documents, check

SAMPLES = Path(__file__).parent / "samples"
HEADER = "WEBVTT\n\n"


def entry(content: str | bytes) -> Entry:
    (found,) = read(Document.of(content.encode() if isinstance(content, str) else content))
    assert isinstance(found.outcome, Conversation), found.outcome
    return found


def conversation(content: str | bytes) -> Conversation:
    outcome = entry(content).outcome
    assert isinstance(outcome, Conversation)
    return outcome


def sample(name: str) -> Conversation:
    return conversation((SAMPLES / name).read_bytes())


def said(content: str | bytes) -> list[tuple[str | None, str]]:
    return [(turn.speaker, turn.text) for turn in conversation(content).turns]


def vtt(*cues: str) -> str:
    return HEADER + "\n\n".join(f"00:00:{at:02d}.000 --> 00:00:{at + 1:02d}.000\n{cue}" for at, cue in enumerate(cues))


def test_zoom_names_stand_before_a_colon_and_a_cue_without_one_goes_on() -> None:
    found = sample("webvtt/zoom.vtt")
    assert found.channel is Channel.VOICE
    assert [(turn.id, turn.speaker) for turn in found.turns] == [
        ("1", "Nora Field"),
        ("2", "Nora Field"),
        ("3", "tomas"),
        ("6", "Nora Field"),
        ("7", "tomas"),
        ("8", "tomas"),
        ("9", "Q. Ito (Legal)"),
    ]
    assert {turn.role for turn in found.turns} == {Role.UNKNOWN}
    third = found.turns[2]
    assert third.text == "Loud and clear. One thing: I only have half an hour for this"
    assert (third.start_ms, third.end_ms, third.pointer) == (9_000, 15_900, "line 12")
    assert found.turns[3].text == "No rush. Note: the offer holds until Friday."
    assert (found.turns[-1].start_ms, found.turns[-1].end_ms) == (84_000, 3_625_050)


def test_teams_voices_of_one_cue_are_turns_of_their_own() -> None:
    found = sample("webvtt/teams.vtt")
    assert [(turn.speaker, turn.text, turn.start_ms, turn.end_ms) for turn in found.turns] == [
        ("Ines Marlow", "Hi there, is this\na good time?", 2_679, 4_009),
        ("Pat O'Shea", "It is.", 5_100, 9_900),
        ("Ines Marlow", "Great & thanks.", 5_100, 9_900),
        ("Pat O'Shea", "Go on.", 13_000, 14_000),
    ]
    # Two turns have the id of one cue, so that none keeps it.
    assert [turn.id for turn in found.turns] == ["0", "1", "2", "3"]
    assert [turn.pointer for turn in found.turns] == ["line 8", "line 13", "line 13", "line 22"]
    assert found.metadata == {"language": "en-gb"}


def test_ids_of_teams_are_kept_where_each_turn_has_one() -> None:
    ids = ["5d1c0a52-8f0e-4b7e-9a63-2f4d6f1e7b10/8-0", "5d1c0a52-8f0e-4b7e-9a63-2f4d6f1e7b10/9-1"]
    cues = [f"{id_}\n00:00:0{at}.000 --> 00:00:0{at}.500\n<v Al>hi</v>" for at, id_ in enumerate(ids)]
    assert [turn.id for turn in conversation(HEADER + "\n\n".join(cues)).turns] == ids
    # And where the blank lines are missing, the ids are no words.
    found = conversation(HEADER + "\n".join(cues))
    assert [(turn.id, turn.text) for turn in found.turns] == [(ids[0], "hi"), (ids[1], "hi")]


def test_webex_names_the_speaker_in_the_id() -> None:
    assert [(turn.id, turn.speaker, turn.text) for turn in sample("webvtt/webex.vtt").turns] == [
        ("1", "Rosa Blum", "Welcome to the line."),
        ("2", "Ed Quill", "Hello, it is about my order: the blue one."),
    ]


def test_tags_entities_comments_and_settings_are_no_words() -> None:
    found = sample("webvtt/subtitles.vtt")
    assert [(turn.speaker, turn.text, turn.start_ms, turn.end_ms, turn.confidence) for turn in found.turns] == [
        (None, "Now this is one <line>,\nand this another at 10:30", 1_500, 4_000, 0.8125),
        (None, "My <PERSON_NAME> is AT&T\xa0too", 4_000, None, None),
        (None, "A late cue that comes early.", 59_000, 60_000, None),
    ]
    assert found.metadata == {"language": "en-US"}


def test_srt_bears_missing_blank_lines_and_blank_lines_among_words() -> None:
    found = sample("srt/call.srt")
    assert [(turn.speaker, turn.text, turn.start_ms, turn.end_ms) for turn in found.turns] == [
        ("Agent", "Good morning,\nthis is Kit.", 500, 2_000),
        ("Customer", "Morning.", 2_100, 4_000),
        ("Agent", "How can I help? I have a question", 2_100, 6_000),
        ("Customer", "It is about\nthe price.", 6_000, 7_000),
        ("Agent", "Fifty & no more.", 60_000, 62_500),
    ]
    assert [turn.pointer for turn in found.turns] == ["line 2", "line 7", "line 7", "line 15", "line 24"]


def test_srt_of_whisperx_and_srt_without_numbers() -> None:
    assert [(turn.id, turn.speaker, turn.text) for turn in sample("srt/whisperx.srt").turns] == [
        ("1", "SPEAKER_00", "Hello?"),
        ("2", "SPEAKER_01", "[inaudible] yes. [music]"),
    ]
    assert [(turn.speaker, turn.text) for turn in sample("srt/without_numbers.srt").turns] == [
        (None, "Nobody says who."),
        (None, "Then he said: go."),
    ]


@pytest.mark.parametrize(
    ("cues", "expected"),
    [
        (["Agent: a", "Customer: b"], [("Agent", "a"), ("Customer", "b")]),
        (["Agent:\na", ">> Jo Lee: b"], [("Agent", "a"), ("Jo Lee", "b")]),
        (["spk_0: a", "spk_1: b"], [("spk_0", "a"), ("spk_1", "b")]),
        (["Maria de la Cruz: a", "Jo: b"], [("Maria de la Cruz", "a"), ("Jo", "b")]),
        (["so he said: a", "and then he said: b"], [(None, "so he said: a"), (None, "and then he said: b")]),
        (["Note: a", "b", "c", "Note: d"], [(None, "Note: a"), (None, "b"), (None, "c"), (None, "Note: d")]),
        (["at 10:30", "see https://example.org/a"], [(None, "at 10:30"), (None, "see https://example.org/a")]),
        (["a", "Jo: b", "c", "Kim: d"], [(None, "a"), ("Jo", "b c"), ("Kim", "d")]),
        (["Jo: a", "Anyone?", "Jo: b"], [("Jo", "a Anyone?"), ("Jo", "b")]),
        (["<v Al>a</v>", "b", "<v Bo>Cy: c</v>"], [("Al", "a b"), ("Bo", "Cy: c")]),
        (["<v ->a</v>", "<v>b</v>"], [(None, "a"), (None, "b")]),
        (["<v Al>a <i>b</i></v>c"], [("Al", "a bc")]),
    ],
)
def test_what_is_a_name(cues: list[str], expected: list[tuple[str | None, str]]) -> None:
    assert said(vtt(*cues)) == expected


def test_line_ends_of_all_systems_give_the_same() -> None:
    text = (SAMPLES / "webvtt" / "zoom.vtt").read_text("utf-8")
    expected = conversation(text)
    assert conversation(text.replace("\n", "\r\n")) == expected
    assert conversation(text.replace("\n", "\r")) == expected
    assert conversation("\ufeff" + text) == expected
    assert conversation(text.replace("\n\n", "\n \n")) == expected
    assert conversation(text.encode("utf-16")) == expected


def test_cues_out_of_order_are_sorted_and_keep_who_goes_on() -> None:
    text = (
        f"{HEADER}00:00:05.000 --> 00:00:06.000\n<v Al>late</v>\n\n00:00:06.000 --> 00:00:07.000\nstill Al\n\n"
        "00:00:01.000 --> 00:00:02.000\n<v Bo>early</v>"
    )
    assert said(text) == [("Bo", "early"), ("Al", "late still Al")]
    assert [turn.id for turn in conversation(text).turns] == ["0", "1"]


def test_a_block_that_is_no_cue_is_left_out_and_said_so() -> None:
    found = entry(vtt("Al: a") + "\n\nwords astray\n\nNOTE none\n\n00:00:09.000 --> 00:00:10.000\nAl: b\n")
    assert [(left.where, left.reason) for left in found.left_out] == [("line 6", "a block that is no cue")]
    assert found.outcome.turns[-1].pointer == "line 10"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        "Agent: see 00:01 --> there\nCustomer: ok",
        "10:00 --> 11:00 standup\nAgent: hi\nCustomer: hello",
        "1\n10:00 --> 11:00\nAgent: hi\nCustomer: hello",
        "00:00:01.000 --> 00:00:02.000 Agent: hi\nCustomer: hello",
        "WEBVTT is a format\nAgent: hi\nCustomer: hello",
        "WEBVTTX\n\n00:00:01.000 --> 00:00:02.000\nhi",
        "-->\n" * 20,
    ],
)
def test_what_only_looks_similar_is_not_taken(text: str) -> None:
    assert not {"webvtt", "srt"} & {found.format for found in read(Document.of(text.encode()))}


@given(changed_documents("webvtt"))
def test_a_changed_webvtt_breaks_nothing(content: bytes) -> None:
    check(content)


@given(changed_documents("srt"))
def test_a_changed_srt_breaks_nothing(content: bytes) -> None:
    check(content)


@pytest.mark.parametrize(
    "piece",
    [
        "a\n", "\n", " \n", "-->", "1\n", "<v", "<v a", "<v a>x", "<c", "&", "NOTE\n\n", "A: b\n", "A: b\n\n", "a:\n",
        "00:00:01.000 --> 00:00:02.000\n", "00:00:01.000 --> 00:00:02.000\nA: b\n\n",
        "00:00:01.000 --> 00:00:02.000\nb\n\n",
        "00:00:01.000 --> ", "{\\", "9", "1\n\n",
    ],
)  # fmt: skip
def test_time_grows_no_faster_than_the_text(piece: str) -> None:
    for head in (vtt("Al: a\nb"), "1\n00:00:01,000 --> 00:00:02,000\nAl: a\nb"):
        document = Document.of(f"{head}{piece * (100_000 // len(piece))}!".encode())
        started = time.process_time()
        assert list(read(document))
        assert time.process_time() - started < 5

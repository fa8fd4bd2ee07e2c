"""Tables and lists of turns: CSV, Parquet, lists in JSON, and plain text in a JSON field."""

from __future__ import annotations

import builtins
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.conversation import Channel, Conversation, Role
from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.reader import Entry
from app.transcripts.registry import read
from app.transcripts.shared.columns import Column, column_of
from app.transcripts.shared.moments import moment
from tests.transcripts.mutations import SAMPLES, changed_documents, check

AGENT, CUSTOMER, BOT, UNKNOWN = Role.AGENT, Role.CUSTOMER, Role.BOT, Role.UNKNOWN


def entries(content: bytes | str) -> list[Entry]:
    return list(read(Document.of(content.encode() if isinstance(content, str) else content)))


def conversations(content: bytes | str | Path) -> list[Conversation]:
    found = [entry.outcome for entry in entries(content.read_bytes() if isinstance(content, Path) else content)]
    assert all(isinstance(outcome, Conversation) for outcome in found), found
    return [outcome for outcome in found if isinstance(outcome, Conversation)]


def said(found: Conversation) -> list[tuple[str | None, str, int | None]]:
    return [(turn.speaker, turn.text, turn.start_ms) for turn in found.turns]


@pytest.mark.parametrize(
    ("name", "column", "unit"),
    [
        ("Utterance_Text", Column.TEXT, None),
        ("interlocutor", Column.SPEAKER, None),
        ("Participant Role", Column.ROLE, None),
        ("start_ms", Column.START, 1.0),
        ("Start Time (s)", Column.START, 1000.0),
        ("endTimeSec", Column.END, 1000.0),
        ("BeginOffsetMillis", Column.START, None),
        ("callId", Column.CONVERSATION, None),
        ("utterance-id", Column.TURN, None),
    ],
)
def test_a_column_is_known_by_its_name_however_written(name: str, column: Column, unit: float | None) -> None:
    found = column_of(name)
    assert found
    assert (found[0], found[2]) == (column, unit)


@pytest.mark.parametrize("name", ["", "mood", "starts", "textual", "ms", "s"])
def test_another_name_is_no_column(name: str) -> None:
    assert column_of(name) is None


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("00:01:02", (62_000, False)),
        ("1:02.5", (62_500, False)),
        ("00:00:01,250", (1250, False)),
        ("1:00:00 PM", (46_800_000, False)),
        ("1970-01-01T00:00:02Z", (2000, False)),
        ("1970-01-01 00:00:02", (2000, False)),
        ("1/2/1970 00:00:02", (86_402_000, False)),
        ("1.5", (1.5, True)),
        ("1,5", (1.5, True)),
        (7, (7, True)),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("nan", None),
        ("1e999", None),
        ("99:99:99", None),
        (True, None),
    ],
)
def test_a_time_is_read_in_any_form(cell: Any, expected: tuple[float, bool] | None) -> None:
    assert moment(cell) == expected


def test_csv_of_many_conversations() -> None:
    found = entries((SAMPLES / "csv" / "many.csv").read_bytes())
    one, two, again = (entry.outcome for entry in found)
    assert isinstance(one, Conversation)
    assert isinstance(two, Conversation)
    assert isinstance(again, Conversation)
    assert [item.id for item in (one, two, again)] == ["c-1", "c-2", "c-1"]
    assert said(one) == [("Agent", "Good morning, I am Jo.\r\nHow are you?", 1500), ("Customer", "Fine.", 4000)]
    assert [(turn.id, turn.end_ms, turn.pointer) for turn in one.turns] == [
        ("1", 3000, "line 2"),
        ("2", None, "line 4"),
    ]
    assert said(two) == [("IVR", 'Press "one".', 0), ("Caller", "One", 3000)]
    assert said(again) == [("Agent", "Still here.", 11_000)]
    assert [(item.where, item.reason) for item in found[0].left_out] == [("line 5", "no words")]
    reasons = [(item.where, item.reason.partition(";")[0]) for entry in found[1:] for item in entry.left_out]
    assert reasons == [
        ("line 8", "more cells than columns"),
        ("line 9", "an id that came before"),
    ]


def test_csv_with_semicolons_and_a_mark_keeps_what_stands_behind_the_last_column() -> None:
    (found,) = conversations(SAMPLES / "csv" / "semicolons.csv")
    assert said(found) == [("channel 0", "Good; day", 0), ("channel 1", "Hello there", 900)]


def test_csv_without_names() -> None:
    one, two = conversations(SAMPLES / "csv" / "nameless.tsv")
    assert (one.id, two.id, len(one.turns), len(two.turns)) == ("k1", "k2", 4, 2)
    assert said(two) == [("Tom Ray", "another call begins", 1000), ("Lea Fox", "that is right", 5000)]


def test_csv_of_whole_conversations() -> None:
    one, two = conversations(SAMPLES / "csv" / "whole.csv")
    assert (one.id, said(one)) == ("7", [("Agent", "Hello there.", None), ("Customer", "Hi.", None)])
    assert (two.id, len(two.turns)) == ("8", 2)


def test_csv_in_a_western_encoding_says_so() -> None:
    (entry,) = entries((SAMPLES / "csv" / "western.csv").read_bytes())
    assert isinstance(entry.outcome, Conversation)
    assert [turn.text for turn in entry.outcome.turns] == ["The café costs € 5.", "That’s fine."]
    assert entry.left_out[0].reason.startswith("decoded as cp1252")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
def test_csv_in_unicode(encoding: str) -> None:
    (found,) = conversations("speaker,text\nAgent,Der Preis fällt\nCustomer,Schön\n".encode(encoding))
    assert [turn.text for turn in found.turns] == ["Der Preis fällt", "Schön"]


def test_a_quote_that_never_ends_costs_what_it_swallows_and_no_more() -> None:
    rows = "".join(f"Agent,word {index}\n" for index in range(200_000))
    (entry,) = entries(f'speaker,text\nCustomer,one\nAgent,"two\n{rows}')
    assert isinstance(entry.outcome, Conversation)
    assert entry.outcome.turns[0].text == "one"
    assert len(entry.outcome.turns) > 50_000
    assert "quotation mark" in entry.left_out[0].reason


def test_milliseconds_are_told_from_seconds_by_how_fast_one_speaks() -> None:
    (fast,) = conversations("speaker,text,start\nAgent,one two three four,0\nCustomer,five six,1800\n")
    (slow,) = conversations("speaker,text,start\nAgent,one two three four,0\nCustomer,five six,3\n")
    assert [turn.start_ms for turn in (*fast.turns, *slow.turns)] == [0, 1800, 0, 3000]


def test_dates_count_from_the_first_turn_and_put_turns_in_order() -> None:
    (found,) = conversations("user,message,date\nSue,two,2026-01-05 10:00:05\nJo,one,2026-01-05 10:00:00\n")
    assert said(found) == [("Jo", "one", 0), ("Sue", "two", 5000)]


def test_a_table_of_unknown_columns_says_how_to_name_them() -> None:
    (entry,) = entries("a,b,c\n1,2,3\n4,5,6\n")
    assert isinstance(entry.outcome, UnreadableTranscript)
    assert "name the columns" in str(entry.outcome)


@pytest.mark.parametrize(
    "text",
    [
        "Agent: hello, I am Jo\nCustomer: yes, hi\nAgent: so, then\n",
        "WEBVTT\n\n00:00.000 --> 00:01.000\n<v Agent>one, two\n",
        "1\n00:00:01,000 --> 00:00:02,000\nAgent: one, two\n\n2\n00:00:03,000 --> 00:00:04,000\nJo: three, four\n",
        '{"speaker": "Agent", "text": "one"}\n{"speaker": "Agent", "text": "two"}\n',
        "Dear all,\nas I said, the meeting, as ever,\nis at ten.\n",
    ],
)
def test_what_is_no_table_is_left_to_others(text: str) -> None:
    assert "csv" not in {entry.format for entry in entries(text)}


def test_parquet_by_columns_and_by_lists() -> None:
    one, two = conversations(SAMPLES / "parquet" / "turns.parquet")
    assert (one.id, two.id) == ("a", "b")
    assert [(turn.role, turn.text, turn.start_ms, turn.pointer) for turn in one.turns] == [
        (AGENT, "Good day.", 0, "row 1"),
        (CUSTOMER, "Hello.", 1200, "row 2"),
    ]
    one, two = conversations(SAMPLES / "parquet" / "lists.parquet")
    assert [(turn.role, turn.text, turn.pointer) for turn in two.turns] == [
        (CUSTOMER, "Bye.", "row 2"),
        (BOT, "So long.", "row 2"),
    ]


def parquet(columns: dict[str, Any]) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target)
    return target.getvalue()


def test_parquet_that_cannot_be_read_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = parquet({"speaker": ["Agent"], "text": ["one"]})
    for content, reason in (
        (whole[:60], "damaged"),
        (b"PAR1" + whole[40:], "damaged"),
        (parquet({"x": [1]}), "name the columns"),
    ):
        (entry,) = entries(content)
        assert isinstance(entry.outcome, UnreadableTranscript)
        assert reason in str(entry.outcome)
    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    (entry,) = entries(whole)
    assert "install softsell[tables]" in str(entry.outcome)
    assert "pip install -e '.[tables]'" in str(entry.outcome)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_a_changed_parquet_file_breaks_nothing(data: st.DataObject) -> None:
    content = bytearray((SAMPLES / "parquet" / "turns.parquet").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert entries(bytes(content))


def test_messages_to_a_language_model() -> None:
    (entry,) = entries((SAMPLES / "turn_list" / "messages.json").read_bytes())
    assert isinstance(entry.outcome, Conversation)
    assert [(turn.role, turn.text) for turn in entry.outcome.turns] == [
        (Role.SYSTEM, "Be kind."),
        (CUSTOMER, "Is it free?"),
        (BOT, "It is,\nfor a year."),
    ]
    assert [item.where for item in entry.left_out] == ["/3", "/4"] or [i.where for i in entry.left_out] == ["/4", "/3"]


def test_a_nested_list_with_speakers_as_objects() -> None:
    (found,) = conversations(SAMPLES / "turn_list" / "nested.json")
    assert found.id == "77"
    assert [(turn.role, *row) for turn, row in zip(found.turns, said(found), strict=True)] == [
        (AGENT, "Jo", "Good day.", 0),
        (UNKNOWN, "Pat", "Hello.", 2250),
    ]
    assert (found.turns[0].end_ms, found.turns[1].pointer) == (1500, "/data/Dialogue/2")


def test_a_flat_list_of_two_conversations() -> None:
    one, two = conversations(SAMPLES / "turn_list" / "flat.json")
    assert (one.id, said(one)) == ("x", [("1", "One two three four.", 0), ("2", "Five six.", 2100)])
    assert ([turn.id for turn in one.turns], one.turns[1].end_ms) == (["m1", "m2"], 3000)
    assert (two.id, said(two)) == ("y", [("1", "Another.", 500)])


def test_the_medium_of_a_channel_column_is_the_conversations() -> None:
    (found,) = conversations(json.dumps([{"channel": "phone", "speaker": "Jo", "text": "one"}] * 2))
    assert (found.channel, found.turns[0].speaker) == (Channel.VOICE, "Jo")


def test_plain_text_in_a_field() -> None:
    (found,) = conversations(SAMPLES / "text_field" / "content.json")
    assert (found.id, said(found)) == ("k-1", [("Agent", "Good day.\nThis is Jo.", None), ("Customer", "Hello.", None)])
    assert {turn.pointer for turn in found.turns} == {"/Content"}
    one, two = conversations(SAMPLES / "text_field" / "records.json")
    assert (one.id, two.id, two.turns[1].text, two.turns[1].pointer) == ("1", "2", "Four.", "/1/data/call/transcript")


_JUNK = [b"", b'"', b",", b";", b"\t", b"\n", b"\r", b"\x00", b"\xff", b"--:-->", b"9" * 400]


@pytest.mark.parametrize("name", ["csv/many.csv", "csv/nameless.tsv", "csv/semicolons.csv"])
@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_a_changed_table_breaks_nothing(name: str, data: st.DataObject) -> None:
    content = bytearray((SAMPLES / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        junk = data.draw(st.sampled_from(_JUNK))
        content[place : place + data.draw(st.integers(0, 9))] = junk
    check(bytes(content))


@settings(deadline=None)
@given(changed_documents("turn_list") | changed_documents("text_field"))
def test_a_changed_list_breaks_nothing(content: bytes) -> None:
    check(content)

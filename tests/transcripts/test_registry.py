"""Which reader takes a document, what a whole document gives, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.conversation import Channel, Conversation, Role
from app.core.errors import UnreadableTranscript
from app.transcripts.document import NO_JSON, Document
from app.transcripts.reader import Entry
from app.transcripts.registry import format_names, json_readers, read, readers

SAMPLES = Path(__file__).parent / "samples"
SAMPLE_FILES = sorted(path for path in SAMPLES.glob("*/*") if path.is_file())


def only(content: bytes | str) -> Entry:
    (entry,) = read(Document.of(content.encode() if isinstance(content, str) else content))
    return entry


def conversation(content: bytes | str) -> Conversation:
    outcome = only(content).outcome
    assert isinstance(outcome, Conversation), outcome
    return outcome


def error(content: bytes | str) -> str:
    outcome = only(content).outcome
    assert isinstance(outcome, UnreadableTranscript), outcome
    return str(outcome)


def test_every_reader_has_a_sample_and_every_sample_a_reader() -> None:
    assert {path.parent.name for path in SAMPLE_FILES} == set(format_names())


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_sample_is_taken_by_its_reader_and_by_no_other_of_its_rank(path: Path) -> None:
    document = Document.of(path.read_bytes())
    assert {entry.format for entry in read(document)} == {path.parent.name}
    (rank,) = {reader.rank for reader in (*readers(), *json_readers()) if reader.name == path.parent.name}
    rivals = [reader.name for reader in readers() if reader.rank >= rank and reader.recognises(document)]
    if document.json is not NO_JSON:
        rivals += [reader.name for reader in json_readers() if reader.rank >= rank and reader.recognises(document.json)]
    assert set(rivals) <= {path.parent.name}


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_sample_is_read_without_an_error(path: Path) -> None:
    outcomes = [entry.outcome for entry in read(Document.of(path.read_bytes()))]
    assert outcomes
    assert all(isinstance(outcome, Conversation) and outcome.turns for outcome in outcomes)


def test_a_request_keeps_all_that_was_sent() -> None:
    found = conversation((SAMPLES / "softsell" / "request.json").read_bytes())
    assert (found.id, found.channel, found.metadata) == ("c-1", Channel.VOICE, {"team": "north"})
    first, second = found.turns
    assert (first.id, first.role, first.text) == ("t1", Role.AGENT, "Good morning.")
    assert (first.start_ms, first.end_ms, first.speaker) == (0, 900, "Sam")
    assert (second.id, second.role, second.start_ms, second.speaker) == ("1", Role.CUSTOMER, None, None)


def test_a_text_keeps_its_spaces_and_its_characters() -> None:
    assert conversation('{"turns": [{"role": "agent", "text": " a\\u2028b\\n "}]}').turns[0].text == " a\u2028b\n "


def test_lines_are_read_one_by_one_and_a_bad_one_is_named() -> None:
    good = '{"turns": [{"role": "agent", "text": "Hi\u2028there."}]}'
    entries = list(read(Document.of("\n".join([good, "{broken", "", '{"turns": []}', '{"no": 1}', good]).encode())))
    assert [entry.line for entry in entries] == [1, 2, 4, 5, 6]
    assert [isinstance(entry.outcome, Conversation) for entry in entries] == [True, False, False, False, True]
    messages = [str(entry.outcome) for entry in entries[1:4]]
    assert messages[0].startswith("line 2: not valid JSON")
    assert messages[1].startswith("line 4: `turns` is empty")
    assert messages[2].startswith("line 5: the document is of no known transcript format")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "line 1: the document is empty"),
        (b"\xef\xbb\xbf \r\n", "line 1: the document is empty"),
        (b"Agent: a\r\nCustomer: b\rAgent: caf\xe9\n", "line 3: the document is not UTF-8"),
        (b'{"turns": [\n{"role" "agent"}]}', "line 2, column 9: not valid JSON"),
        (b"[" * 100_000, "line 1: JSON that is nested too deeply"),
        (b'{"turns": ' + b"1" * 5_000 + b"}", "line 1: JSON that is nested too deeply, or has a number"),
        (b'{"event": 1}\n', "the document is of no known transcript format"),
        (b"Dear all,\nthe meeting is at ten.\n", "line 1: of no known transcript format"),
        (b'{"turns": 7}', "`turns` must be a list"),
        (b'{"conversation": {"turns": [3]}}', "`conversation.turns[0]` must be an object"),
        (b'{"turns": [{"role": "Agent", "text": "x"}]}', "`turns[0].role` must be one of agent, customer, bot"),
        (b'{"turns": [{"role": ["agent"], "text": "x"}]}', "`turns[0].role` must be one of"),
        (b'{"turns": [{"role": "agent", "text": null}]}', "`turns[0].text` must be a text"),
        (b'{"turns": [{"role": "agent", "text": "\\ud83d"}]}', "`turns[0].text` holds half of a surrogate pair"),
        (b'{"turns": [{"role": "agent", "text": "x", "start_ms": NaN}]}', "`turns[0].start_ms` must be a time"),
        (b'{"turns": [{"role": "agent", "text": "x", "start_ms": 1e999}]}', "`turns[0].start_ms` must be a time"),
        (b'{"turns": [{"role": "agent", "text": "x", "start_ms": true}]}', "`turns[0].start_ms` must be a number"),
        (b'{"turns": [{"role": "agent", "text": "x", "start_ms": 2, "end_ms": 1}]}', "`turns[0].end_ms` is before"),
        (b'{"turns": [{"role": "agent", "text": "x"}], "channel": "fax"}', "`channel` must be one of voice, chat"),
        (b'{"turns": [{"role": "agent", "text": "x"}], "metadata": {"k": 1}}', "`metadata` must be a text"),
        (b'{"turns": [{"role": "agent", "text": "x"}], "id": 3}', "`id` must be a text"),
        (
            b'{"turns": [{"id": "a", "role": "agent", "text": "x"}, {"id": "a", "role": "agent", "text": "y"}]}',
            "`turns` holds two turns of one `id`",
        ),
    ],
)
def test_what_cannot_be_read_says_where_and_what_to_do(content: bytes, expected: str) -> None:
    assert error(content).startswith(expected)


def test_an_id_that_is_the_number_of_another_turn_is_no_clash() -> None:
    # As over HTTP, where only ids that were sent are compared.
    turns = conversation('{"turns": [{"role": "agent", "text": "x"}, {"id": "0", "role": "agent", "text": "y"}]}').turns
    assert [turn.text for turn in turns] == ["x", "y"]

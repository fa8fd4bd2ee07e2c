"""Any bytes end in conversations or in `UnreadableTranscript`, and no message repeats a transcript."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.conversation import Conversation, Role
from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.registry import read

CANARY = "zebrafish"
# Without a deadline: how long an example takes is the machine's affair.
THOROUGH = settings(max_examples=200, deadline=None)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["agent", "customer", CANARY]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "conversation",
                    "turns",
                    "id",
                    "role",
                    "text",
                    "start_ms",
                    "end_ms",
                    "speaker",
                    "channel",
                    "metadata",
                    CANARY,
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)
lines = st.lists(
    st.lists(
        st.sampled_from(
            ["Agent", "Customer", "A", "C", "Me", "Jo", ":", ": ", "**", "[00:01]", "(", ")", " ", "10:30", "-", "é"]
        )
        | st.text(max_size=5),
        max_size=8,
    ).map("".join),
    max_size=8,
).map("\n".join)


def check(content: bytes) -> None:
    entries = list(read(Document.of(content)))
    assert entries
    for entry in entries:
        if isinstance(entry.outcome, Conversation):
            assert entry.outcome.turns
            for turn in entry.outcome.turns:
                assert isinstance(turn.text, str)
                assert isinstance(turn.role, Role)
                turn.text.encode("utf-8")
        else:
            assert isinstance(entry.outcome, UnreadableTranscript)
            assert CANARY not in str(entry.outcome)
            assert len(str(entry.outcome)) < 500


@given(st.binary(max_size=300))
@THOROUGH
def test_any_bytes(content: bytes) -> None:
    check(content)


@given(lines)
@THOROUGH
def test_any_lines(text: str) -> None:
    check(text.encode("utf-8", "surrogatepass"))


@given(json_values)
@THOROUGH
def test_any_json(value: Any) -> None:
    check(json.dumps(value).encode())


@given(st.lists(json_values.map(json.dumps) | st.just(f"{{{CANARY}") | st.just(f'{{"turns": "{CANARY}"}}'), max_size=5))
@THOROUGH
def test_any_lines_of_json(documents: list[str]) -> None:
    check("\n".join(documents).encode())


@given(json_values, st.integers(min_value=0, max_value=400))
@THOROUGH
def test_json_that_breaks_off(value: Any, length: int) -> None:
    check(json.dumps({"turns": [{"role": "agent", "text": CANARY}, value]})[:length].encode())


@given(
    st.sampled_from(["turns", "id", "channel", "metadata"]),
    st.sampled_from(["id", "role", "text", "start_ms", "end_ms", "speaker"]),
    json_values,
)
@THOROUGH
def test_a_wrong_value_anywhere(field: str, turn_field: str, value: Any) -> None:
    turn: dict[str, Any] = {"role": "agent", "text": CANARY}
    check(json.dumps({"turns": [turn | {turn_field: value}]}).encode())
    check(json.dumps({"turns": [turn], field: value}).encode())
    check(json.dumps({"conversation": {"turns": [turn], field: value}}).encode())


def test_no_part_of_an_error_holds_the_text() -> None:
    documents = [
        f"{CANARY}: {CANARY}".encode(),
        f'{{"turns": [{{"role": "{CANARY}", "text": "{CANARY}"}}]}}'.encode(),
        f'{{"turns": [{{"{CANARY}": 1}}]}}'.encode(),
        f'{{"{CANARY}" 1}}'.encode(),
        CANARY.encode() + b"\xff",
    ]
    for content in documents:
        (entry,) = read(Document.of(content))
        error: BaseException | None = entry.outcome if isinstance(entry.outcome, Exception) else None
        assert error is not None
        while error is not None:
            assert CANARY not in f"{error!r} {error.args}"
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)

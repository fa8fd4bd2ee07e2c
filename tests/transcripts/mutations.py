"""Samples with something wrong in them: what a reader must bear without any exception but its own.

@given(changed_documents("contact_lens"))
def test_a_changed_sample_breaks_nothing(content: bytes) -> None:
    check(content)
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from app.core.conversation import Conversation, Role
from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.reader import Entry
from app.transcripts.registry import read

SAMPLES = Path(__file__).parent / "samples"
CANARY = "zebrafish"


def _deep(depth: int, inner: Any) -> Any:
    for index in range(depth):
        inner = [inner] if index % 2 else {"type" if index % 4 else CANARY: inner}
    return inner


# Made anew each time, since a document may be changed in two places, one inside the other.
_WRONG_VALUES = (
    None, True, False, 0, 1, -1, 0.5, 1e300, float("nan"), float("inf"), 1 << 70, 10**400,
    "", " ", CANARY, f"<p>{CANARY}&#x110000;<", "1", "-1", "NaN", "1e999", "2020-13-45T25:61:61Z", "\ud83d", "\x00",
    [], {}, [None], [[]], [{}], [CANARY], {CANARY: CANARY}, {"": None}, _deep(7, CANARY), _deep(200, None),
)  # fmt: skip


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, (*path, index))


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value in which one to three places are left out, doubled, or hold something else."""
    root = [copy.deepcopy(value)]
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from([path for path in _places(root[0]) if len(path) < 12]))
        parent: Any = root
        for step in (0, *place)[:-1]:
            parent = parent[step]
        last = (0, *place)[-1]
        how = draw(st.sampled_from(["replace", "replace", "delete", "double"]))
        if how == "replace" or not place:
            parent[last] = copy.deepcopy(draw(st.sampled_from(_WRONG_VALUES)))
        elif how == "delete":
            del parent[last]
        elif isinstance(parent, list):
            parent.insert(last, copy.deepcopy(parent[last]))
    return root[0]


@st.composite
def changed_text(draw: st.DrawFn, text: str) -> str:
    """A text of lines of which one to three are left out, doubled, swapped, cut or written over."""
    lines = text.split("\n")
    for _ in range(draw(st.integers(1, 3))):
        index = draw(st.integers(0, len(lines) - 1))
        line, cut = lines[index], draw(st.integers(0, len(lines[index])))
        junk = draw(
            st.sampled_from(["", CANARY, "\x00", "{", '"', ",", "<", "-->", ":", "\t", "99:99:99.999", "\u2028"])
        )
        other = draw(st.integers(0, len(lines) - 1))
        replacements = ([], [line, line], [line[:cut]], [line[cut:]], [line[:cut] + junk + line[cut:]], [lines[other]])
        lines[index : index + 1] = draw(st.sampled_from(replacements))
        lines = lines or [""]
    return "\n".join(lines)


def changed_documents(name: str) -> st.SearchStrategy[bytes]:
    """The samples of a format as bytes, each changed as JSON, as lines of JSON, or as text."""
    return st.one_of([_changed_document(path.read_text("utf-8")) for path in sorted((SAMPLES / name).iterdir())])


def _changed_document(content: str) -> st.SearchStrategy[bytes]:
    as_text = changed_text(content).map(lambda text: text.encode("utf-8", "surrogatepass"))
    try:
        return changed(json.loads(content)).map(lambda value: json.dumps(value).encode()) | as_text
    except ValueError:
        pass
    try:
        lines = [json.loads(line) for line in content.splitlines() if line.strip()]
    except ValueError:
        return as_text
    return changed(lines).map(_as_lines) | as_text


def _as_lines(value: Any) -> bytes:
    return "\n".join(map(json.dumps, value if isinstance(value, list) else [value])).encode()


def check(content: bytes) -> list[Entry]:
    """Assert that a document ends in whole conversations or in errors that quote nothing of it."""
    entries = list(read(Document.of(content)))
    assert entries
    for entry in entries:
        if isinstance(entry.outcome, Conversation):
            turns = entry.outcome.turns
            assert turns
            assert len({turn.id for turn in turns}) == len(turns)
            for turn in turns:
                assert isinstance(turn.role, Role)
                assert turn.text.strip()
                _encodes(turn.id, turn.text, turn.speaker, turn.pointer, entry.outcome.id)
                assert all(time is None or (type(time) is int and time >= 0) for time in (turn.start_ms, turn.end_ms))
                assert turn.confidence is None or 0 <= turn.confidence <= 1
            _encodes(*entry.outcome.source_categories, *entry.outcome.metadata, *entry.outcome.metadata.values())
        else:
            assert isinstance(entry.outcome, UnreadableTranscript)
            assert CANARY not in str(entry.outcome)
            assert len(str(entry.outcome)) < 1000
        assert not any(CANARY in f"{left.where} {left.reason}" for left in entry.left_out)
    return entries


def _encodes(*texts: str | None) -> None:
    for text in texts:
        assert text is None or isinstance(text, str)
        (text or "").encode("utf-8")

"""Parquet: a table of turns, its columns being those of `app.transcripts.shared.columns`, read by row groups.

    conversation_id | role | text | start_ms
    id | messages: list of {role, content}

A row may also hold a whole conversation, as a list of turns or as plain text. Needs `pyarrow`, which
`softsell[tables]` installs. Its other columns are not read. See https://parquet.apache.org/docs/file-format/.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from app.core.conversation import Conversation
from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.formats import turn_list
from app.transcripts.reader import Entry, Reader
from app.transcripts.shared.columns import CELLS, HOW_TO_NAME, Column, Columns, Row, label_of, plain_name
from app.transcripts.shared.rows import entries_of
from app.transcripts.tree import Node

_MARK = b"PAR1"
_BATCH_ROWS = 4096
_DAMAGED = "a Parquet file that is damaged or not whole; write it again"


def _opened(document: Document) -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise UnreadableTranscript(
            "a Parquet file; to read one, install softsell[tables], or in a clone pip install -e '.[tables]'"
        ) from None
    try:
        return pyarrow.parquet.ParquetFile(document.rewound())
    except Exception:
        # Its many kinds of errors quote the file.
        raise UnreadableTranscript(_DAMAGED) from None


def _batches(file: Any, names: list[str]) -> Iterator[dict[str, list[Any]]]:
    try:
        for batch in file.iter_batches(_BATCH_ROWS, columns=names):
            yield batch.to_pydict()
    except Exception:
        raise UnreadableTranscript(_DAMAGED) from None


def _rows(file: Any, columns: Columns) -> Iterator[Row]:
    places = [columns.at.get(column) for column in CELLS]
    number = 0
    for batch in _batches(file, sorted(set(columns.at.values()))):
        size = len(batch[columns.at[Column.TEXT]])
        cells = [[None] * size if place is None else batch[place] for place in places]
        for values in zip(*cells, strict=True):
            number += 1
            yield Row(f"row {number}", *values)


def _lists(file: Any, column: str, columns: Columns) -> Iterator[Entry]:
    """The conversations of a table that holds a list of turns in each row."""
    own = columns.at.get(Column.CONVERSATION, columns.at.get(Column.ID))
    number = 0
    for batch in _batches(file, [column, *([own] if own else [])]):
        for index, value in enumerate(batch[column]):
            number += 1
            node = Node({"id": label_of(batch[own][index]) if own else None, "messages": value}, f"row {number}")
            if not turn_list.READER.recognises(node.value):
                yield Entry(node.error("holds no list of turns"))
                continue
            for entry in turn_list.READER.read(node):
                yield _at_row(entry, f"row {number}")


def _at_row(entry: Entry, where: str) -> Entry:
    """The entry with all of it at one row, as a table has no pointers."""
    outcome = entry.outcome
    if isinstance(outcome, Conversation):
        outcome = replace(outcome, turns=tuple(turn._replace(pointer=where) for turn in outcome.turns))
    return Entry(outcome, left_out=tuple(replace(item, where=where) for item in entry.left_out))


def _columns(file: Any) -> Columns:
    """The columns, an `id` being settled by the first rows."""
    columns = Columns.of((name, name) for name in file.schema_arrow.names)
    if Column.ID in columns.at:
        first = next(_batches(file, [columns.at[Column.ID]]), {}).get(columns.at[Column.ID], [])
        columns = columns.settled([label_of(value) for value in first[:60]])
    return columns


def _read(document: Document) -> Iterator[Entry]:
    file = _opened(document)
    schema = file.schema_arrow
    if len(set(schema.names)) < len(schema.names):
        raise UnreadableTranscript(f"a Parquet table with two columns of one name; {HOW_TO_NAME}")
    nested = [
        item.name
        for item in schema
        if str(item.type).startswith(("list<", "large_list<")) and "struct<" in str(item.type)
    ]
    lists = next((name for name in nested if plain_name(name) == "turns" or turn_list.holds(name)), None)
    if lists is not None:
        yield from _lists(file, lists, Columns.of((name, name) for name in schema.names))
        return
    columns = _columns(file)
    if Column.TEXT not in columns.at:
        raise UnreadableTranscript(f"a Parquet table of which no column is known to be the text; {HOW_TO_NAME}")
    yield from entries_of(_rows(file, columns), columns)


def _recognises(document: Document) -> bool:
    return document.first_bytes.startswith(_MARK)


READER = Reader("parquet", "Parquet table", _recognises, _read)

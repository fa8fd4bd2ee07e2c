"""CSV: a table of turns with commas, semicolons, tabs or pipes; for its columns see `shared/columns.py`.

    conversation_id,speaker,start,text
    c-1,Agent,00:00:01,"Good morning, how can I help?"

Without a row of names, the text is the longest column, and the speaker the one of few values that
changes the most from row to row. Read row by row, so that a file may be larger than memory: a
conversation's rows stand together. Text that is neither UTF-8 nor has a byte order mark is decoded as
the Western encoding that fits best, which a note says. A row that is broken is left out. Python's own
sniffer is not used: it takes letters for delimiters, and commas of prose for columns.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from operator import itemgetter

from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document
from app.transcripts.formats import plain_text
from app.transcripts.reader import Entry, LeftOut, Rank, Reader
from app.transcripts.shared.columns import CELLS, HOW_TO_NAME, Column, Columns, Row
from app.transcripts.shared.moments import moment
from app.transcripts.shared.rows import entries_of, labelled
from app.transcripts.speakers import is_well_known

_DELIMITERS = "\t,;|"
_SAMPLE_ROWS = 60
_LONGEST_NAME = 40
_LONGEST_CELL = 1 << 20
_CHUNK = 1 << 20
_BESIDE = 1 << 15
# What is not among these is far less likely than a wrong guess on a few accents.
_WESTERN = ["cp1252", "latin_1", "mac_roman", "cp850"]


@dataclass(frozen=True, slots=True)
class _Table:
    """How a table is to be read; without `columns` it is one of which nobody can tell what is what."""

    delimiter: str
    columns: Columns | None
    has_names: bool = True


def _rows(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """Each row that is not blank with the line that it begins on; `None` for one that is broken."""
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield line, None
        else:
            if row:
                yield line, row


def _sample(document: Document, delimiter: str) -> list[list[str]]:
    lines = io.StringIO(document.head.removeprefix("\ufeff"), newline="")
    rows: list[list[str]] = []
    for _, row in _rows(lines, delimiter):
        if row is not None:
            rows.append(row)
        if len(rows) > _SAMPLE_ROWS:
            break
    else:
        # The last one is cut.
        rows = rows if document.is_whole else rows[:-1]
    return rows[:_SAMPLE_ROWS]


def _cells(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    return [row[place].strip() for row in rows if place < len(row)]


def _longest(rows: Sequence[Sequence[str]], places: Iterable[int]) -> int | None:
    """The column with the most to read, if it is words."""
    sizes = {place: sum(map(len, _cells(rows, place))) for place in places}
    best = max(sizes, key=sizes.__getitem__, default=None)
    if best is None or not any(" " in cell for cell in _cells(rows, best)):
        return None
    return best


def _named(rows: Sequence[Sequence[str]]) -> Columns | None:
    """The columns by the names in the first row, if those are names."""
    names, rest = rows[0], rows[1:]
    if any(len(name) > _LONGEST_NAME for name in names):
        return None
    columns = Columns.of(enumerate(names))
    at = dict(columns.at)
    if Column.TEXT not in at and columns.names_speakers and len(at) > 1:
        text = _longest(rest, set(range(len(names))) - set(at.values()))
        if text is not None:
            at[Column.TEXT] = text
    if Column.TEXT not in at or len(names) < 2:
        return None
    found = Columns(at, columns.units)
    if Column.ID in at:
        found = found.settled(_cells(rest, at[Column.ID]))
    whole = any(labelled(cell, "") for cell in _cells(rest, at[Column.TEXT])[:5])
    return found if found.names_speakers or whole or Column.START in at else None


def _guessed(rows: Sequence[Sequence[str]]) -> Columns | None:
    """The columns by what they hold, where no row names them."""
    width = len(rows[0])
    if width < 2 or len(rows) < 2 or any(len(row) != width for row in rows):
        return None
    text = _longest(rows, range(width))
    others = [place for place in range(width) if place != text]
    at = {} if text is None else {Column.TEXT: text}
    changes: dict[int, int] = {}
    for place in others:
        cells = _cells(rows, place)
        values = set(cells)
        if all(moment(cell) for cell in cells):
            if Column.START not in at and len(values) > 1 and any(not cell.isdigit() for cell in values):
                at[Column.START] = place
        elif all(is_well_known(cell) for cell in values):
            changes[place] = len(rows)
        elif (
            len(rows) >= 4
            and 2 <= len(values) <= len(rows) // 2
            and not any(len(cell) > _LONGEST_NAME or ":" in cell for cell in values)
        ):
            changes[place] = sum(one != other for one, other in pairwise(cells))
    if text is None or not changes:
        return None
    at[Column.SPEAKER] = max(changes, key=changes.__getitem__)
    for place in others:
        cells = _cells(rows, place)
        runs = 1 + sum(one != other for one, other in pairwise(cells))
        if place not in at.values() and 1 < len(set(cells)) == runs <= len(rows) // 2:
            at[Column.CONVERSATION] = place
    return Columns(at)


def _is_text(document: Document) -> bool:
    """Whether the beginning is plain text in which speakers open lines."""
    try:
        return plain_text.READER.recognises(Document.of(document.head.encode("utf-8", "replace")))
    except UnreadableTranscript:
        return False


def _may_be_table(document: Document) -> bool:
    if document.begins_like_json or not document.head.strip() or "\0" in document.head:
        return False
    return not any("-->" in line or line.lstrip("\ufeff").startswith("WEBVTT") for line in document.head_lines[:40])


def _table(document: Document) -> _Table | None:
    if not _may_be_table(document):
        return None
    samples = {delimiter: rows for delimiter in _DELIMITERS if (rows := _sample(document, delimiter)) and len(rows) > 1}
    named = [(delimiter, columns) for delimiter, rows in samples.items() if (columns := _named(rows))]
    if named:
        return _Table(*max(named, key=lambda item: len(item[1].at)))
    if not samples or _is_text(document):
        return None
    for delimiter, rows in samples.items():
        if columns := _guessed(rows):
            return _Table(delimiter, columns, has_names=False)
    for delimiter, rows in samples.items():
        width = len(rows[0])
        if len(rows) > 2 and width > (1 if delimiter == "\t" else 2) and all(len(row) == width for row in rows):
            return _Table(delimiter, None)
    return None


def _encoding(document: Document) -> tuple[str, list[LeftOut]]:
    """How the text is encoded, and a note where that is a guess; reads the whole document once."""
    if document.encoding != "utf-8":
        return document.encoding, []
    source = document.rewound()
    decoder = codecs.getincrementaldecoder("utf-8")()
    read = 0
    try:
        while chunk := source.read(_CHUNK):
            decoder.decode(chunk)
            read += len(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        from charset_normalizer import from_bytes

        place = max(read + error.start - _BESIDE, 0)
        source.seek(place)
        best = from_bytes(source.read(2 * _BESIDE), cp_isolation=_WESTERN).best()
        # Windows-1252 has more signs where Latin-1 has none that anybody writes.
        name = "cp1252" if best is None or best.encoding == "latin_1" else best.encoding
        return name, [LeftOut("line 1", f"decoded as {name}; save it as UTF-8 if words look wrong")]
    return "utf-8", []


def _turn_rows(document: Document, table: _Table, columns: Columns, encoding: str) -> Iterator[Row | LeftOut]:
    stream = io.TextIOWrapper(document.rewound(), encoding, errors="replace", newline="")
    try:
        rows = _rows(iter(partial(stream.readline, _LONGEST_CELL), ""), table.delimiter)
        places: list[int] = [columns.at.get(column, -1) for column in CELLS]
        width = max(columns.at.values()) + 1
        if table.has_names:
            _, names = next(rows, (0, None))
            width = max(width, len(names or ()))
        # A cell that no column has is the one after the last.
        cells_of = itemgetter(*(width if place < 0 else place for place in places))
        missing = [None] * (width + 1)
        last_is_text = columns.at[Column.TEXT] == width - 1
        for line, row in rows:
            where = f"line {line}"
            if row is None:
                yield LeftOut(where, "a cell without an end; a quotation mark may be missing")
                continue
            if len(row) > width:
                if last_is_text:
                    row = [*row[: width - 1], table.delimiter.join(row[width - 1 :])]  # noqa: PLW2901
                elif any(row[width:]):
                    yield LeftOut(where, "more cells than columns; put text that holds the delimiter in quotes")
                    continue
            cells = [*row, None] if len(row) == width else [*row[:width], *missing[min(len(row), width) :]]
            yield Row(where, *cells_of(cells))
    finally:
        # Whoever opened the document closes it.
        stream.detach()


def _read(document: Document) -> Iterator[Entry]:
    table = _table(document)
    if table is None:
        return
    if table.columns is None:
        raise UnreadableTranscript(f"line 1: a table of which no column is known to be the text; {HOW_TO_NAME}")
    encoding, notes = _encoding(document)
    yield from entries_of(_turn_rows(document, table, table.columns, encoding), table.columns, notes=notes)


def _recognises(document: Document) -> bool:
    return _table(document) is not None


READER = Reader("csv", "CSV or TSV table", _recognises, _read, Rank.GENERIC)

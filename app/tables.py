"""CSV and Parquet of rows whose columns have types, and what columns of labels are called.

Columns of labels are named `group_label`, as `mis_selling_pressure`; numbers are probabilities, 0 to 1.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, BinaryIO

from app.core.labels import DISMISSIVE, EMPATHY_DIMENSIONS, MIS_SELLING, PRACTICE, SIGNALS, names

Cell = str | int | float | None
Row = Mapping[str, Cell]

# Spreadsheets take a cell that opens so for a formula, and names and ids come from whoever sent the file.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
# Rows that stand together in the file: enough to be compressed well, few enough to be held.
_GROUP_ROWS = 4096


class Kind(Enum):
    """What a column holds."""

    TEXT = "text"
    COUNT = "count"
    NUMBER = "number"


_LABELS = {
    "mis_selling": tuple(names(MIS_SELLING)),
    "empathy": (*(dimension.name for dimension in EMPATHY_DIMENSIONS), DISMISSIVE.name),
    "practice": tuple(names(PRACTICE)),
    "signals": tuple(names(SIGNALS)),
}


def label_columns(group: str) -> dict[str, Kind]:
    """The columns of mis_selling, empathy, practice or signals."""
    return {f"{group}_{label}": Kind.NUMBER for label in _LABELS[group]}


def label_cells(probabilities: Mapping[str, Mapping[str, float]]) -> dict[str, Cell]:
    """The cells of those columns, by group and label; empty where a conversation was not scored."""
    return {f"{group}_{label}": probabilities[group].get(label) for group, known in _LABELS.items() for label in known}


def _inert(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


class CsvTable:
    """Comma-separated, UTF-8; the header is written at once, so that a table without rows is one too."""

    def __init__(self, file: BinaryIO, columns: Mapping[str, Kind]) -> None:
        self._columns = tuple(columns)
        self._text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="", write_through=True)
        self._csv = csv.writer(self._text, lineterminator="\n")
        self._csv.writerow(self._columns)

    def write(self, row: Row) -> None:
        """Write one row; a text that a spreadsheet would run is preceded by an apostrophe."""
        self._csv.writerow([_inert(row[name]) for name in self._columns])

    def finish(self) -> None:
        """Hand all rows to the file, which stays open."""
        self._text.flush()
        self._text.detach()

    def drop(self) -> None:
        """Nothing is held."""


class ParquetTable:
    """Typed columns; needs pyarrow, the extra `tables`. Holds some thousand rows at a time."""

    def __init__(self, file: BinaryIO, columns: Mapping[str, Kind]) -> None:
        """Raises `ImportError` where pyarrow is not installed."""
        # Here and not above: all else of the program works without it.
        import pyarrow as pa
        import pyarrow.parquet as pq

        types: dict[Kind, Any] = {Kind.TEXT: pa.string(), Kind.COUNT: pa.int64(), Kind.NUMBER: pa.float64()}
        self._schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
        self._batch = pa.RecordBatch.from_pylist
        self._parquet = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[Row] = []

    def write(self, row: Row) -> None:
        """Add one row."""
        self._rows.append(row)
        if len(self._rows) >= _GROUP_ROWS:
            self._write_group()

    def finish(self) -> None:
        """Write the last rows and the file's table of contents."""
        if self._rows:
            self._write_group()
        self._parquet.close()

    def drop(self) -> None:
        """End the file, which pyarrow would try in its own time, when it is closed."""
        with suppress(OSError, ValueError):
            self._parquet.close()
        self._parquet.is_open = False

    def _write_group(self) -> None:
        self._parquet.write_batch(self._batch(self._rows, schema=self._schema))
        self._rows.clear()

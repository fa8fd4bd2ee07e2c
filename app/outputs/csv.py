"""CSV: a header and one row a conversation, comma-separated, UTF-8."""

from __future__ import annotations

import csv
import io
from typing import BinaryIO

from app.outputs.result import About, Result
from app.outputs.table import COLUMNS, Cell, row

# Spreadsheets take a cell that opens so for a formula, and names and ids come from whoever sent the file.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def _inert(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


class CsvWriter:
    """Writes the header at once, so that a run without a conversation gives a table too."""

    def __init__(self, file: BinaryIO, about: About) -> None:
        self._about = about
        self._text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="", write_through=True)
        self._csv = csv.writer(self._text, lineterminator="\n")
        self._csv.writerow(COLUMNS)

    def write(self, result: Result) -> None:
        """Write one row; a text that a spreadsheet would run is preceded by an apostrophe."""
        self._csv.writerow([_inert(cell) for cell in row(result, self._about).values()])

    def finish(self) -> None:
        """Hand all rows to the file."""
        self._text.flush()

    def drop(self) -> None:
        """Nothing is held."""

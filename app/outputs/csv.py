"""CSV: a header and one row a conversation, comma-separated, UTF-8."""

from __future__ import annotations

from typing import BinaryIO

from app.outputs.result import About, Result
from app.outputs.table import COLUMNS, row
from app.tables import CsvTable


class CsvWriter:
    """Writes the header at once, so that a run without a conversation gives a table too."""

    def __init__(self, file: BinaryIO, about: About) -> None:
        self._about = about
        self._table = CsvTable(file, COLUMNS)

    def write(self, result: Result) -> None:
        """Write one row."""
        self._table.write(row(result, self._about))

    def finish(self) -> None:
        """Hand all rows to the file."""
        self._table.finish()

    def drop(self) -> None:
        """Nothing is held."""

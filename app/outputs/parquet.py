"""Parquet: the same table with typed columns; needs pyarrow, the extra `tables`."""

from __future__ import annotations

from typing import BinaryIO

from app.outputs.result import About, Result
from app.outputs.table import COLUMNS, row
from app.tables import ParquetTable


class ParquetWriter:
    """Holds some thousand rows at a time."""

    def __init__(self, file: BinaryIO, about: About) -> None:
        """Raises `ImportError` where pyarrow is not installed."""
        self._about = about
        self._table = ParquetTable(file, COLUMNS)

    def write(self, result: Result) -> None:
        """Add one row."""
        self._table.write(row(result, self._about))

    def finish(self) -> None:
        """Write the last rows and the file's table of contents."""
        self._table.finish()

    def drop(self) -> None:
        """Let go of the file."""
        self._table.drop()

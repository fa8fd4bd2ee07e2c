"""Parquet: the same table with typed columns; needs pyarrow, the extra `tables`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, BinaryIO

from app.outputs.result import About, Result
from app.outputs.table import COLUMNS, Cell, Kind, row

# Rows that stand together in the file: enough to be compressed well, few enough to be held.
_GROUP_ROWS = 4096


class ParquetWriter:
    """Holds some thousand rows at a time."""

    def __init__(self, file: BinaryIO, about: About) -> None:
        """Raises `ImportError` where pyarrow is not installed."""
        # Here and not above: all else of the program works without it.
        import pyarrow as pa
        import pyarrow.parquet as pq

        types: dict[Kind, Any] = {Kind.TEXT: pa.string(), Kind.COUNT: pa.int64(), Kind.NUMBER: pa.float64()}
        self._about = about
        self._schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
        self._batch = pa.RecordBatch.from_pylist
        self._parquet = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[dict[str, Cell]] = []

    def write(self, result: Result) -> None:
        """Add one row."""
        self._rows.append(row(result, self._about))
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

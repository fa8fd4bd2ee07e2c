"""JSON Lines: one answer of the API a line."""

from __future__ import annotations

from typing import BinaryIO

from app.outputs.result import About, Result


class JsonlWriter:
    """Writes UTF-8, whatever the terminal is."""

    def __init__(self, file: BinaryIO, about: About) -> None:
        self._file = file
        self._about = about

    def write(self, result: Result) -> None:
        """Write one line."""
        self._file.write(result.answer(self._about).model_dump_json().encode() + b"\n")

    def finish(self) -> None:
        """Hand all lines to the file."""
        self._file.flush()

    def drop(self) -> None:
        """Nothing is held."""

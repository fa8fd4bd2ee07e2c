"""One file of scores: its ending decides the form, and it is there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from app.outputs.csv import CsvWriter
from app.outputs.html import HtmlWriter
from app.outputs.jsonl import JsonlWriter
from app.outputs.parquet import ParquetWriter
from app.outputs.result import About, Result, Writer
from app.outputs.vcon import VconWriter

# The one place that says which forms there are: from the end of a file's name to its writer. The
# longest ending that fits wins.
WRITERS: Mapping[str, Callable[[BinaryIO, About], Writer]] = {
    ".jsonl": JsonlWriter,
    ".csv": CsvWriter,
    ".parquet": ParquetWriter,
    ".html": HtmlWriter,
    ".vcon.json": VconWriter,
    ".vcon.jsonl": VconWriter,
}


class Unwritable(Exception):
    """A file of scores cannot be written; the message says why and names no path."""


class OutputFile:
    """Writes beside `path` under a hidden name, and takes its place when the `with` block ends well."""

    def __init__(self, path: Path, about: About, *, resumed: bool = False) -> None:
        """Open it; where a run is resumed, in place of what a killed run left. Raises `Unwritable`."""
        # What a link points to is replaced, not the link.
        self.path = path.resolve()
        fitting = [ending for ending in WRITERS if path.name.lower().endswith(ending)]
        if not fitting:
            raise Unwritable(f"the ending says the form; it is one of {', '.join(WRITERS)}")
        if self.path.is_dir():
            raise Unwritable("is a folder; give the path of a file")
        if self.path.exists() and not os.access(self.path, os.W_OK):
            raise Unwritable("is write-protected; give another path")
        beside = f".{self.path.name}.part" if resumed else f".softsell-{secrets.token_hex(8)}.part"
        self._beside = self.path.with_name(beside)
        try:
            self._file: BinaryIO = self._beside.open("wb" if resumed else "xb")
        except OSError as error:
            raise Unwritable(f"cannot be written ({error.strerror}); give another path") from None
        try:
            self._writer = WRITERS[max(fitting, key=len)](self._file, about)
        except ImportError as error:
            self._discard()
            raise Unwritable(
                f"needs the package {error.name}: "
                "pip install 'softsell[tables]', or in a clone pip install -e '.[tables]'"
            ) from None
        except OSError as error:
            self._discard()
            raise Unwritable(f"cannot be written ({error.strerror})") from None

    def write(self, result: Result) -> None:
        """Write one conversation. Raises `Unwritable`, as when the disk is full."""
        try:
            self._writer.write(result)
        except OSError as error:
            raise Unwritable(f"cannot be written ({error.strerror})") from None

    def __enter__(self) -> OutputFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the file in its place, or drop it where the block raised. Raises `Unwritable`."""
        if kind is not None:
            self._writer.drop()
            self._discard()
            return
        try:
            self._writer.finish()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._beside.replace(self.path)
        except OSError as failure:
            self._writer.drop()
            self._discard()
            raise Unwritable(f"cannot be written ({failure.strerror})") from None

    def _discard(self) -> None:
        try:
            self._file.close()
        except OSError:
            # A full disk refuses the rest also here; the file goes anyway.
            pass
        finally:
            self._beside.unlink(missing_ok=True)

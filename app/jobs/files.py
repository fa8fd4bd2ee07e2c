"""The files of a batch's results and errors, made once from the store and named by the batch's id alone.

The store has the lines; a file is a copy in the order sent, so that parts of it can be asked for. Each process makes
its own where it is missing: of the same lines come the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from app.store.batch_queue import BATCH_CANCELLED, BATCH_EXPIRED, WORKER_ENDED
from app.store.batches import DUPLICATE, Batches, Line

RESULTS, ERRORS = "results", "errors"
JSONL = "jsonl"
_DETAILS = {
    WORKER_ENDED: "the server ended three times while it scored this conversation; send it alone, or report it",
    BATCH_CANCELLED: "not scored, since the batch was cancelled",
    BATCH_EXPIRED: "not scored before the batch expired; send it again in a smaller batch",
    DUPLICATE: "an earlier item of this batch has the same custom_id; send each once",
}

# Writes lines of `RESULTS` or `ERRORS`, as parsed JSON, in another form.
Form = Callable[[str, Iterable[dict[str, Any]], BinaryIO], None]


def result_line(custom_id: str | None, line: int, answer: bytes) -> bytes:
    """A line of the results; `answer` is JSON, as the API answers."""
    opening = json.dumps({"custom_id": custom_id, "line": line}).encode()[:-1]
    return opening + b', "response": {"status_code": 200, "body": ' + answer + b'}, "error": null}'


def error_line(
    custom_id: str | None, line: int, code: str, detail: str, errors: Iterable[Mapping[str, Any]] = ()
) -> bytes:
    """A line of the errors; `detail` and `errors` hold no words of the conversation."""
    error = {"code": code, "detail": detail, "errors": list(errors)}
    return json.dumps({"custom_id": custom_id, "line": line, "response": None, "error": error}).encode()


def duplicate_line(custom_id: str | None, line: int) -> bytes:
    """The error of an item whose `custom_id` came before."""
    return error_line(custom_id, line, DUPLICATE, _DETAILS[DUPLICATE])


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file that is there: its `etag` is the SHA-256 of what is in it."""

    path: Path
    etag: str


class ResultFiles:
    """The files of one process, in `folder`; `forms` are what can be had besides JSON Lines, by name."""

    def __init__(self, folder: Path, batches: Batches, forms: Mapping[str, Form]) -> None:
        self._folder = folder
        self._batches = batches
        self._forms = forms
        self._digests: dict[tuple[Path, int, int], str] = {}

    def build(self, batch_id: str) -> None:
        """Make the usual two. Raises `OSError` where they cannot be written, and `StoreUnavailable`."""
        for kind in (RESULTS, ERRORS):
            self.get(batch_id, kind, JSONL)

    def get(self, batch_id: str, kind: str, form: str) -> ResultFile:
        """The file, made if it is not there; of a batch that is finalizing or final.

        Raises:
            OSError: if it cannot be written.
            StoreUnavailable: if its lines cannot be read.
        """
        path = self._folder / f"{batch_id}.{kind}.{form}"
        if not path.exists():
            self._make(path, lambda file: self._write(file, batch_id, kind, form))
        found = path.stat()
        key = (path, found.st_mtime_ns, found.st_size)
        if key not in self._digests:
            with path.open("rb") as file:
                self._digests[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return ResultFile(path, f'"{self._digests[key]}"')

    def purge(self) -> int:
        """Delete batches whose time is over, and files of those that are gone; says how many files.

        Raises `StoreUnavailable`.
        """
        self._batches.purge()
        files = [path for path in self._folder.glob("*.*") if path.is_file()]
        kept = self._batches.existing(sorted({path.name.partition(".")[0] for path in files})) if files else set()
        over = [path for path in files if path.name.partition(".")[0] not in kept]
        for path in over:
            path.unlink(missing_ok=True)
        if over:
            self._digests = {key: digest for key, digest in self._digests.items() if key[0] not in over}
        return len(over)

    def _lines(self, batch_id: str, kind: str) -> Iterator[bytes]:
        for line in self._batches.lines(batch_id, failed=kind == ERRORS):
            yield line.result if line.result is not None else _of_code(line)

    def _write(self, file: BinaryIO, batch_id: str, kind: str, form: str) -> None:
        lines = self._lines(batch_id, kind)
        if form == JSONL:
            for line in lines:
                file.write(line + b"\n")
        else:
            self._forms[form](kind, (json.loads(line) for line in lines), file)

    def _make(self, path: Path, write: Callable[[BinaryIO], None]) -> None:
        """Whole or not at all: two that make it at once make the same."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
        try:
            with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600), "w+b") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def _of_code(line: Line) -> bytes:
    code = line.error_code or ""
    return error_line(line.custom_id, line.ordinal, code, _DETAILS.get(code, ""))

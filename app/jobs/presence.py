"""That a worker is alive, and what it is scoring just now: one small file a worker, locked as long as it lives.

The system lets go of the lock when a process ends, however it ends, and keeps what was written. So whoever can lock
the file of another worker knows that it has ended and which items it was scoring, and gives back at once what it had
claimed; workers on other machines wait for its leases to run out instead.
"""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from app.store.batch_queue import ItemKey

_ENDING = ".worker"


class Presence:
    """One worker's file in `folder`; without one, where none can be made, its leases have to run out."""

    def __init__(self, folder: Path) -> None:
        """Make the file and lock it; it bears no other name than the worker's own."""
        self.worker = uuid.uuid4().hex
        self._folder = folder
        self._file: int | None = None
        self._written = b""
        # Nobody looks at it under its first name, before it is locked.
        new = folder / f"{self.worker}.new"
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(new, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            new.rename(self._path)

    @property
    def _path(self) -> Path:
        return self._folder / f"{self.worker}{_ENDING}"

    def note(self, running: Collection[ItemKey]) -> None:
        """Write down what is being scored; a few microseconds, since it need not outlive the system."""
        if self._file is None:
            return
        content = json.dumps(list(running)).encode()
        if content == self._written:
            return
        padded, self._written = content.ljust(len(self._written)), content
        # A full disk must not keep anything from being scored.
        with suppress(OSError):
            os.pwrite(self._file, padded, 0)

    def ended(self) -> Iterator[tuple[str, list[ItemKey]]]:
        """Workers of this folder that have ended, with what they were scoring.

        The file of each goes when the next one is asked for; so whoever gives back what it held does that first.
        """
        for path in sorted(self._folder.glob(f"*{_ENDING}")):
            if path == self._path:
                continue
            try:
                found = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield path.stem, _running(os.pread(found, 1 << 20, 0))
                path.unlink(missing_ok=True)
            except BlockingIOError:
                pass
            finally:
                os.close(found)

    def close(self) -> None:
        """Leave nothing behind; what the worker held has been given back."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None


def _running(content: bytes) -> list[ItemKey]:
    try:
        return [ItemKey(batch_id, ordinal) for batch_id, ordinal in json.loads(content or b"[]")]
    except (ValueError, TypeError):
        # Cut off by a system that ended; then nobody knows, and all of it is tried again.
        return []

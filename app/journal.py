"""What a run of the command line has scored already, so that it can go on where it was killed.

A hidden file beside the output: a line that says which run it is of, then one line a scored conversation, in order.
It holds numbers and places, and no words. The output itself is written anew from the inputs and these scores when the
run is done, so that its bytes are those of a run that nobody killed, whatever its form.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import TypeAdapter

from app.core.conversation import Conversation
from app.core.scores import ConversationScore

_SCORE = TypeAdapter(ConversationScore)
_VERSION = 1
# What a kill may cost: so many scores or seconds of work are not yet on the disk.
_UNWRITTEN, _UNWRITTEN_S = 64, 1.0


class JournalUnusable(Exception):
    """A run cannot go on with a journal; the message says what to do and names no path."""


def journal_path(output: Path) -> Path:
    """Where the journal of a run lies."""
    return output.with_name(f".{output.name}.resume")


class Journal:
    """The journal of one run, which nobody else may write meanwhile.

    `run` is all that a score depends on besides the conversation.
    """

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        """Open it, or begin it. Raises `JournalUnusable`."""
        self._path = path
        self._unwritten: list[bytes] = []
        self._oldest = 0.0
        try:
            self._file: BinaryIO = path.open("a+b")
        except OSError as error:
            raise JournalUnusable(f"its journal cannot be written ({error.strerror}); give another path") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._known = path.open("rb")
        except OSError:
            self._file.close()
            raise JournalUnusable("another run writes there just now; wait for it, or give another path") from None
        self._end = _whole_lines(self._known)
        os.ftruncate(self._file.fileno(), self._end)
        header = json.dumps({"version": _VERSION, **run}, sort_keys=True).encode() + b"\n"
        self._known.seek(0)
        found = self._known.readline() if self._end else b""
        if not found:
            self._file.write(header)
            self._sync()
        elif found != header:
            self.close()
            raise JournalUnusable(
                f"it was begun with another model or other options; repeat them, or delete {path.name} to begin anew"
            )
        self._next = self._read() if found else None

    def known(self, number: int, conversation: Conversation) -> ConversationScore | None:
        """The score of the run's conversation of this number, if it is here; ask in ascending order.

        Where the inputs are others than before, what follows is forgotten.
        """
        while self._next is not None and self._next[0] <= number:
            place, digest, score, start = self._next
            if place < number or digest != _digest(conversation):
                os.ftruncate(self._file.fileno(), start)
                self._next = None
                return None
            self._next = self._read()
            return score
        return None

    def add(self, number: int, conversation: Conversation, score: ConversationScore) -> None:
        """Note a score. Raises `JournalUnusable`, as when the disk is full."""
        if not self._unwritten:
            self._oldest = time.monotonic()
        line = json.dumps([number, _digest(conversation), json.loads(_SCORE.dump_json(score))])
        self._unwritten.append(line.encode() + b"\n")
        if len(self._unwritten) >= _UNWRITTEN or time.monotonic() - self._oldest >= _UNWRITTEN_S:
            self._write()

    def close(self) -> None:
        """Write what is noted, and let go of it; a run may go on with it. Raises `JournalUnusable`."""
        try:
            if self._unwritten:
                self._write()
        finally:
            self._known.close()
            self._file.close()

    def remove(self) -> None:
        """The output is there: nothing has to be remembered."""
        self._unwritten.clear()
        self._path.unlink(missing_ok=True)
        self.close()

    def _write(self) -> None:
        try:
            self._file.write(b"".join(self._unwritten))
            self._sync()
        except OSError as error:
            raise JournalUnusable(
                f"its journal cannot be written ({error.strerror}); free some space, then run the same again"
            ) from None
        finally:
            self._unwritten.clear()

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self) -> tuple[int, str, ConversationScore, int] | None:
        start = self._known.tell()
        if start >= self._end:
            return None
        try:
            number, digest, score = json.loads(self._known.readline())
            return number, digest, _SCORE.validate_python(score), start
        except (ValueError, TypeError):
            # What a system that ended left of its last write.
            os.ftruncate(self._file.fileno(), start)
            return None


def _whole_lines(file: BinaryIO) -> int:
    """How many bytes end with the last end of a line."""
    end = position = 0
    while part := file.read(1 << 18):
        if (last := part.rfind(b"\n")) >= 0:
            end = position + last + 1
        position += len(part)
    return end


def _digest(conversation: Conversation) -> str:
    return hashlib.blake2b(repr(conversation).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

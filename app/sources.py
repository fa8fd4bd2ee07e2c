"""What people name on a command line, as documents: files, folders, archives and stdin.

A folder is walked through in the order of its names, without hidden files. An archive is told by
its content and read member by member; one inside it is opened too, one inside that is not. What
cannot be read is an error in its place, and the rest goes on.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.archives import Bounds, Budget, Refused, is_archive, members, spooled
from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document

STDIN = "-"
_DEEPEST_ARCHIVE = 2
# Deeper than anybody files calls, and less than what Python's stack bears.
_DEEPEST_FOLDER = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A file to read, or why there is none. `path` is as it was named, or `-`."""

    path: str
    error: UnreadableTranscript | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A document and where it stands: `path`, or `path!member`; or why there is none.

    `name` is that of the file or member alone.
    """

    where: str
    name: str
    outcome: Document | UnreadableTranscript


def _unreadable(error: OSError) -> UnreadableTranscript:
    return UnreadableTranscript(f"cannot be read ({error.strerror}); give the path of a file or a folder")


def places(paths: Iterable[str], leave_out: Path | None = None) -> Iterator[Place]:
    """Each file that `paths` name, in their order; what a folder holds, by name.

    Args:
        paths: files, folders and `-`.
        leave_out: a file that is no input when a folder holds it, as what is written there.
    """
    for path in paths:
        if path != STDIN and os.path.isdir(path):
            found = False
            for place in _walk(path, leave_out, ()):
                found = True
                yield place
            if not found:
                yield Place(path, UnreadableTranscript("holds no file that is not hidden"))
        else:
            yield Place(path)


def _walk(folder: str, leave_out: Path | None, above: tuple[tuple[int, int], ...]) -> Iterator[Place]:
    try:
        own = os.stat(folder)
        here = (own.st_dev, own.st_ino)
        if here in above:
            yield Place(folder, UnreadableTranscript("is a link to a folder that it stands in"))
            return
        if len(above) == _DEEPEST_FOLDER:
            yield Place(folder, UnreadableTranscript("is nested too deeply; name it itself"))
            return
        with os.scandir(folder) as listed:
            entries = sorted((entry for entry in listed if not entry.name.startswith(".")), key=lambda item: item.name)
    except OSError as error:
        yield Place(folder, _unreadable(error))
        return
    for entry in entries:
        try:
            mode = os.stat(entry.path).st_mode
        except OSError as error:
            yield Place(entry.path, _unreadable(error))
            continue
        if stat.S_ISDIR(mode):
            yield from _walk(entry.path, leave_out, (*above, here))
        elif not stat.S_ISREG(mode):
            # A pipe that nobody writes to would never end.
            yield Place(entry.path, UnreadableTranscript("is no regular file"))
        elif leave_out is None or Path(entry.path).resolve() != leave_out:
            yield Place(entry.path)


def sources(place: Place, stdin: BinaryIO, bounds: Bounds | None = None) -> Iterator[Source]:
    """The documents of one place: one, or those of an archive, which are opened one at a time.

    Args:
        place: a place of `places`.
        stdin: what `-` stands for; read to its end.
        bounds: how far archives are unpacked, and how long a stream may be.
    """
    bounds = bounds or Bounds()
    name = "stdin" if place.path == STDIN else os.path.basename(place.path)
    if place.error:
        yield Source(place.path, name, place.error)
        return
    try:
        file: BinaryIO = stdin if place.path == STDIN else open(place.path, "rb")  # noqa: SIM115
        # What is read from a pipe must be looked at twice.
        if place.path == STDIN or not file.seekable():
            file = spooled(file, bounds)
        if not is_archive(file):
            yield Source(place.path, name, Document(file))
            return
        with closing(file):
            yield from _opened(file, place.path, name, Budget(file.seek(0, os.SEEK_END), bounds), 1)
    except OSError as error:
        yield Source(place.path, name, _unreadable(error))
    except UnreadableTranscript as error:
        yield Source(place.path, name, error)


def _opened(file: BinaryIO, where: str, name: str, budget: Budget, depth: int) -> Iterator[Source]:
    found = False
    for member in members(file, budget, name):
        found = True
        inner = f"{where}!{member.name}"
        own_name = member.name.rpartition("/")[2]
        if isinstance(member.outcome, UnreadableTranscript):
            yield Source(inner, own_name, member.outcome)
        elif not is_archive(member.outcome):
            yield Source(inner, own_name, Document(member.outcome))
        elif depth >= _DEEPEST_ARCHIVE:
            member.outcome.close()
            yield Source(inner, own_name, UnreadableTranscript("is an archive in an archive in an archive; unpack it"))
        else:
            with closing(member.outcome):
                yield from _inner(member.outcome, inner, own_name, budget, depth + 1)
    if not found:
        raise UnreadableTranscript("holds no file that is not hidden")


def _inner(file: BinaryIO, where: str, name: str, budget: Budget, depth: int) -> Iterator[Source]:
    """As `_opened`; what is wrong with this one archive does not end the one around it, unless a bound is met."""
    try:
        yield from _opened(file, where, name, budget, depth)
    except Refused:
        raise
    except UnreadableTranscript as error:
        yield Source(where, name, error)

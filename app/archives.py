"""Opens zip, tar, tar.gz and gz archives that anybody may have sent: bounded, and never onto the disk.

An archive is told by what is in it. A member is unpacked into a temporary file, which is in memory
while it is small, and is gone when nobody holds it. A link, a device, an encrypted or damaged member
is an error in its place; a bomb ends the archive: how much, how many and how densely is bounded by
`Bounds`, over an archive and all archives in it.
"""

from __future__ import annotations

import gzip
import os
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from app.core.errors import UnreadableTranscript

_GZIP, _ZIP = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
# The first part of a file that is itself a zip, but one document: Office's.
_OFFICE_MEMBER = b"[Content_Types].xml"
_CHUNK_BYTES = 1 << 18
_IN_MEMORY_BYTES = 1 << 23
# Names in a tar's headers are read at once, and so is a zip's table of contents.
_LONGEST_HEADER_BYTES = 1 << 20
_TABLE_BYTES_A_MEMBER = 512
_END_RECORD_BYTES = 22
_END_COMMENT_BYTES = 1 << 16
_DAMAGED = "is damaged or cut off; pack it again"
_DAMAGES = (
    *(zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, tarfile.TarError, struct.error),
    *(EOFError, OverflowError, ValueError),
)
_HEADER_KINDS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)


class Refused(UnreadableTranscript):
    """An archive is beyond a bound: nothing more of it is read."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far an archive is unpacked. Beyond each there is an error, never a full disk."""

    member_bytes: int = 1 << 31
    """A member that is larger is an error in its place."""

    all_bytes: int = 1 << 34
    """All that one archive unpacks to, with what is in archives in it."""

    members: int = 100_000
    """How many members one archive and those in it have."""

    ratio: int = 200
    """How many bytes may come of one; word-level JSON comes to some 30."""

    free_bytes: int = 1 << 26
    """So much is unpacked at any ratio: a small file may well be all blanks."""


@dataclass(slots=True)
class Budget:
    """What an archive of `packed_bytes` has used of its bounds."""

    packed_bytes: int
    bounds: Bounds = field(default_factory=Bounds)
    _bytes: int = 0
    _members: int = 0

    def unpack(self, count: int) -> None:
        """Count unpacked bytes. Raises `Refused` beyond a bound."""
        self._bytes += count
        if self._bytes > self.bounds.all_bytes:
            raise Refused(f"unpacks to over {self.bounds.all_bytes >> 20} MiB; split it")
        if self._bytes > self.bounds.free_bytes + self.bounds.ratio * self.packed_bytes:
            raise Refused(f"unpacks to over {self.bounds.ratio} times its size; unpack it by hand if you trust it")

    def add_member(self) -> None:
        """Count a member. Raises `Refused` beyond the bound."""
        self._members += 1
        if self._members > self.bounds.members:
            raise Refused(f"has over {self.bounds.members} members; split it")


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive, or why it cannot be read. Whoever takes `outcome` closes it."""

    name: str
    outcome: BinaryIO | UnreadableTranscript


class _Counted:
    """What comes out of a gzip stream, counted, also where it is only skipped."""

    def __init__(self, source: gzip.GzipFile, budget: Budget, head: bytes) -> None:
        self._source, self._budget, self._head = source, budget, head

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, and a chunk at most."""
        wanted = _CHUNK_BYTES if size < 0 else min(size, _CHUNK_BYTES)
        if self._head:
            part, self._head = self._head[:wanted], self._head[wanted:]
        else:
            part = self._source.read(wanted)
            self._budget.unpack(len(part))
        return part


class _Header(tarfile.TarInfo):
    """A tar's header that is an error where `tarfile` would take it for the archive's end, or read any length."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        """Parse one block."""
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError:
            if buf.strip(b"\0"):
                raise UnreadableTranscript(_DAMAGED) from None
            raise
        if header.type in _HEADER_KINDS and header.size > _LONGEST_HEADER_BYTES:
            raise UnreadableTranscript("has a member's name of over 1 MiB")
        return header


def _is_tar(head: bytes) -> bool:
    """Whether the first block is a tar's header: its checksum fits, in every dialect."""
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def is_archive(file: BinaryIO) -> bool:
    """Whether a seekable file is an archive; it is rewound."""
    file.seek(0)
    head = file.read(tarfile.BLOCKSIZE)
    file.seek(0)
    return (head.startswith((_GZIP, *_ZIP)) and _OFFICE_MEMBER not in head) or _is_tar(head)


def members(file: BinaryIO, budget: Budget, name: str) -> Iterator[Member]:
    """The files of an archive in its order, without hidden ones; each is a fresh temporary file.

    Args:
        file: an archive, seekable.
        budget: counts what is unpacked.
        name: of the archive, from which that of a gzip's content is made.

    Raises:
        UnreadableTranscript: where the archive itself is damaged, or beyond a bound; after the members
            that could be read.
    """
    file.seek(0)
    head = file.read(tarfile.BLOCKSIZE)
    file.seek(0)
    try:
        if head.startswith(_ZIP):
            yield from _zip_members(file, budget)
        elif head.startswith(_GZIP):
            yield from _gzip_members(file, budget, name)
        else:
            yield from _tar_members(file, budget, counted=False)
    except _DAMAGES:
        raise UnreadableTranscript(_DAMAGED) from None


def spooled(source: BinaryIO, bounds: Bounds, budget: Budget | None = None) -> BinaryIO:
    """All of a stream as a seekable temporary file. Raises `UnreadableTranscript` beyond a bound."""
    # Not closed here: whoever asked for it does that.
    target = cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))  # noqa: SIM115
    held = 0
    try:
        while part := source.read(_CHUNK_BYTES):
            held += len(part)
            if budget:
                budget.unpack(len(part))
            if held > bounds.member_bytes:
                raise UnreadableTranscript(f"is larger than {bounds.member_bytes >> 20} MiB unpacked; split it")
            target.write(part)
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return target


def _is_hidden(name: str) -> bool:
    return any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in name.split("/"))


def _table_bytes(file: BinaryIO) -> int:
    """How long a zip's table of contents is, as its end record says, before anything reads it at once."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_RECORD_BYTES - _END_COMMENT_BYTES))
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    stated = int.from_bytes(tail[end + 12 : end + 16], "little")
    large = tail.rfind(b"PK\x06\x06", 0, max(end, 0))
    # 4 bytes of ones say that the real number stands in the record of large archives.
    return int.from_bytes(tail[large + 40 : large + 48], "little") if stated == 0xFFFFFFFF and large >= 0 else stated


def _zip_members(file: BinaryIO, budget: Budget) -> Iterator[Member]:
    if not zipfile.is_zipfile(file):
        raise UnreadableTranscript(_DAMAGED)
    if _table_bytes(file) > budget.bounds.members * _TABLE_BYTES_A_MEMBER:
        raise Refused(f"has over {budget.bounds.members} members; split it")
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            budget.add_member()
            if info.is_dir() or _is_hidden(info.filename):
                continue
            yield Member(info.filename, _zip_member(archive, info, budget))


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> BinaryIO | UnreadableTranscript:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return UnreadableTranscript("is a link or a device, not a file; pack the file itself")
    if info.flag_bits & 1:
        return UnreadableTranscript("is encrypted; unpack it with its password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return UnreadableTranscript("is packed in a way that is not read; pack it with deflate")
    try:
        with archive.open(info) as packed:
            return spooled(cast(BinaryIO, packed), budget.bounds, budget)
    except Refused:
        raise
    except UnreadableTranscript as error:
        return error
    except (*_DAMAGES, NotImplementedError, RuntimeError):
        return UnreadableTranscript(_DAMAGED)


def _tar_members(file: BinaryIO, budget: Budget, *, counted: bool) -> Iterator[Member]:
    # As a stream: nothing of it is sought, and a gzip's members need not be unpacked twice.
    with tarfile.open(fileobj=file, mode="r|", tarinfo=_Header, bufsize=_CHUNK_BYTES) as archive:
        while (info := archive.next()) is not None:
            # The list that it keeps would grow with the archive.
            archive.members = []  # type: ignore[attr-defined]
            budget.add_member()
            if info.isdir() or _is_hidden(info.name):
                continue
            if not info.isreg() or info.issparse():
                yield Member(info.name, UnreadableTranscript("is a link or a device, not a file; pack the file itself"))
                continue
            content = archive.extractfile(info)
            if content is None:
                continue
            try:
                yield Member(info.name, spooled(cast(BinaryIO, content), budget.bounds, None if counted else budget))
            except Refused:
                raise
            except UnreadableTranscript as error:
                yield Member(info.name, error)


def _gzip_members(file: BinaryIO, budget: Budget, name: str) -> Iterator[Member]:
    with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
        head = unpacked.read(tarfile.BLOCKSIZE)
        source = cast(BinaryIO, _Counted(unpacked, budget, head))
        if _is_tar(head):
            yield from _tar_members(source, budget, counted=True)
        else:
            budget.add_member()
            yield Member(name.removesuffix(".gz"), spooled(source, budget.bounds))

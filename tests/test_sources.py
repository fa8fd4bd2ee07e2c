"""What the command line reads: files, folders, archives and stdin, and what hostile ones of them come to."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.archives import Bounds
from app.core.errors import UnreadableTranscript
from app.sources import Source, places, sources
from app.transcripts.document import Document

CALL = b"Agent: Hello."
TIGHT = Bounds(member_bytes=4_000, all_bytes=10_000, members=5, ratio=10, free_bytes=8_000)


def all_of(
    *paths: Any, stdin: bytes = b"", bounds: Bounds | None = None, leave_out: Path | None = None
) -> list[Source]:
    named = places([str(path) for path in paths], leave_out)
    return [source for place in named for source in sources(place, io.BytesIO(stdin), bounds)]


def told(found: Iterable[Source], base: Path) -> list[str]:
    """`where: text` or `where: error`, with `where` below `base`."""
    return [
        f"{item.where.removeprefix(str(base)).lstrip('/')}: "
        + (item.outcome.text if isinstance(item.outcome, Document) else f"({item.outcome})")
        for item in found
    ]


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def tarred(*members: tuple[str, bytes], mode: str = "w", dialect: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=dialect) as archive:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_a_folder_is_walked_by_name_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.txt", "a/.hidden", ".git/config", "c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    assert told(all_of(tmp_path), tmp_path) == ["a/z.txt: a/z.txt", "b.txt: b.txt", "c.txt: c.txt"]
    assert told(all_of(tmp_path, leave_out=tmp_path / "c.txt"), tmp_path)[2:] == []
    assert told(all_of(tmp_path / "a" / ".hidden"), tmp_path) == ["a/.hidden: a/.hidden"]


def test_what_is_no_file_in_a_folder_is_an_error_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "empty").mkdir()
    os.mkfifo(tmp_path / "calls" / "pipe")
    (tmp_path / "calls" / "around").symlink_to(tmp_path / "calls")
    (tmp_path / "calls" / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "calls" / "linked").symlink_to(tmp_path / "real.txt")
    (tmp_path / "real.txt").write_bytes(CALL)
    assert told(all_of(tmp_path / "calls"), tmp_path / "calls") == [
        "around: (is a link to a folder that it stands in)",
        "dangling: (cannot be read (No such file or directory); give the path of a file or a folder)",
        "linked: Agent: Hello.",
        "pipe: (is no regular file)",
    ]
    assert told(all_of(tmp_path / "calls" / "empty"), tmp_path) == ["calls/empty: (holds no file that is not hidden)"]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    assert told(all_of(tmp_path / "x"), tmp_path) == [
        "x: (cannot be read (No such file or directory); give the path of a file or a folder)"
    ]


def test_stdin_and_pipes_are_read_to_their_end(tmp_path: Path) -> None:
    assert told(all_of("-", stdin=CALL), tmp_path) == ["-: Agent: Hello."]
    assert told(all_of("-", stdin=zipped(("a", CALL))), tmp_path) == ["-!a: Agent: Hello."]
    assert told(all_of("-", stdin=b"x" * 5_000, bounds=TIGHT), tmp_path) == [
        "-: (is larger than 0 MiB unpacked; split it)"
    ]
    reads, writes = os.pipe()
    os.write(writes, CALL)
    os.close(writes)
    assert told(all_of(f"/dev/fd/{reads}"), Path("/dev/fd")) == [f"{reads}: Agent: Hello."]
    os.close(reads)


ARCHIVES = {
    "zip": zipped(("d/", b""), ("d/a.txt", b"one"), (".x/b", b"no"), ("__MACOSX/d/._a.txt", b"no"), ("b.txt", b"two")),
    "stored": zipped(("d/a.txt", b"one"), ("b.txt", b"two"), method=zipfile.ZIP_STORED),
    "tar": tarred(("d/a.txt", b"one"), ("d/.b", b"no"), ("b.txt", b"two")),
    "gnu": tarred(("./d/a.txt", b"one"), ("b.txt", b"two"), dialect=tarfile.GNU_FORMAT),
    "old": tarred(("d/a.txt", b"one"), ("b.txt", b"two"), dialect=tarfile.USTAR_FORMAT),
    "tgz": tarred(("d/a.txt", b"one"), ("b.txt", b"two"), mode="w:gz"),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_is_told_by_its_content(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "archive.txt"
    path.write_bytes(ARCHIVES[kind])
    found = all_of(path)
    assert [line.replace("./", "") for line in told(found, tmp_path)] == [
        "archive.txt!d/a.txt: one",
        "archive.txt!b.txt: two",
    ]
    assert [item.name for item in found] == ["a.txt", "b.txt"]


def test_a_gzip_is_one_member(tmp_path: Path) -> None:
    (tmp_path / "day.jsonl.gz").write_bytes(gzip.compress(b"x" * 1_000))
    (found,) = all_of(tmp_path / "day.jsonl.gz")
    assert (found.where, found.name) == (f"{tmp_path}/day.jsonl.gz!day.jsonl", "day.jsonl")
    assert isinstance(found.outcome, Document)
    assert found.outcome.size_bytes == 1_000


def test_an_archive_in_an_archive_is_opened_and_no_deeper(tmp_path: Path) -> None:
    inner = tarred(("deep.zip", zipped(("a", CALL))), ("b", CALL))
    (tmp_path / "o.zip").write_bytes(zipped(("i.tar", inner), ("broken.gz", gzip.compress(CALL)[:-9]), ("c", CALL)))
    assert told(all_of(tmp_path / "o.zip"), tmp_path) == [
        "o.zip!i.tar!deep.zip: (is an archive in an archive in an archive; unpack it)",
        "o.zip!i.tar!b: Agent: Hello.",
        "o.zip!broken.gz: (is damaged or cut off; pack it again)",
        "o.zip!c: Agent: Hello.",
    ]


def test_links_and_devices_and_encrypted_members_are_errors(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind in (
            ("s", tarfile.SYMTYPE),
            ("h", tarfile.LNKTYPE),
            ("c", tarfile.CHRTYPE),
            ("f", tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("good")
        info.size = len(CALL)
        archive.addfile(info, io.BytesIO(CALL))
    (tmp_path / "l.tar").write_bytes(out.getvalue())
    told_links = told(all_of(tmp_path / "l.tar"), tmp_path)
    refused = "(is a link or a device, not a file; pack the file itself)"
    assert told_links == [*(f"l.tar!{name}: {refused}" for name in "shcf"), "l.tar!good: Agent: Hello."]

    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped_links:
        zipped_links.writestr(link, "/etc/passwd")
        zipped_links.writestr("locked", CALL)
        zipped_links.writestr("packed", CALL, zipfile.ZIP_LZMA)
        zipped_links.writestr("good", CALL)
    content = bytearray(out.getvalue())
    # The bit that says "encrypted", in the member's own header and in the table of contents.
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = [i for i in range(len(content)) if content[i : i + 4] == mark][1]
        content[at + place] |= 1
    (tmp_path / "l.zip").write_bytes(content)
    assert told(all_of(tmp_path / "l.zip"), tmp_path) == [
        f"l.zip!link: {refused}",
        "l.zip!locked: (is encrypted; unpack it with its password)",
        "l.zip!packed: (is packed in a way that is not read; pack it with deflate)",
        "l.zip!good: Agent: Hello.",
    ]


@pytest.mark.parametrize("pack", [zipped, tarred, lambda *m: tarred(*m, mode="w:gz")])
def test_a_large_member_is_an_error_and_many_of_them_end_the_archive(tmp_path: Path, pack: Any) -> None:
    path = tmp_path / "a"
    path.write_bytes(pack(("large", os.urandom(4_001)), ("small", CALL)))
    bounds = Bounds(member_bytes=4_000)
    assert told(all_of(path, bounds=bounds), tmp_path) == [
        "a!large: (is larger than 0 MiB unpacked; split it)",
        "a!small: Agent: Hello.",
    ]
    path.write_bytes(pack(*((str(n), os.urandom(3_000)) for n in range(5))))
    *read, last = all_of(path, bounds=TIGHT)
    assert [item.where for item in read] == [f"{path}!{n}" for n in range(len(read))]
    assert len(read) <= 3
    assert told([last], tmp_path) == ["a: (unpacks to over 0 MiB; split it)"]


@pytest.mark.parametrize("pack", [zipped, tarred, lambda *m: tarred(*m, mode="w:gz")])
def test_members_are_counted(tmp_path: Path, pack: Any) -> None:
    (tmp_path / "a").write_bytes(pack(*((str(n), CALL) for n in range(6))))
    found = told(all_of(tmp_path / "a", bounds=Bounds(members=5)), tmp_path)
    assert found[-1] == "a: (has over 5 members; split it)"
    assert len(found) <= 6


@pytest.mark.parametrize("pack", [zipped, lambda *m: tarred(*m, mode="w:gz"), lambda m: gzip.compress(m[1])])
def test_a_bomb_is_stopped_before_it_fills_anything(tmp_path: Path, pack: Any) -> None:
    (tmp_path / "bomb").write_bytes(pack(("zeros", bytes(1 << 24))))
    bounds = Bounds(ratio=10, free_bytes=1 << 16)
    (only,) = told(all_of(tmp_path / "bomb", bounds=bounds), tmp_path)
    assert only == "bomb: (unpacks to over 10 times its size; unpack it by hand if you trust it)"


def test_a_bomb_in_an_archive_ends_the_outer_one(tmp_path: Path) -> None:
    (tmp_path / "bomb").write_bytes(zipped(("i.gz", gzip.compress(bytes(1 << 24))), ("after", CALL)))
    (only,) = told(all_of(tmp_path / "bomb", bounds=Bounds(ratio=10, free_bytes=1 << 16)), tmp_path)
    assert only.startswith("bomb: (unpacks to over 10 times its size")


def test_a_long_name_in_a_tar_is_not_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 34
    (tmp_path / "n.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(512))
    assert told(all_of(tmp_path / "n.tar"), tmp_path) == ["n.tar: (has a member's name of over 1 MiB)"]


def test_a_table_of_contents_of_any_length_is_not_read(tmp_path: Path) -> None:
    content = zipped(*((f"{n}" * 400, CALL) for n in range(9)))
    (tmp_path / "t.zip").write_bytes(content)
    assert told(all_of(tmp_path / "t.zip", bounds=TIGHT), tmp_path) == ["t.zip: (has over 5 members; split it)"]


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    content = bytearray(tarred(("a", CALL), ("b", CALL)))
    content[1_024] ^= 1
    (tmp_path / "d.tar").write_bytes(content)
    assert told(all_of(tmp_path / "d.tar"), tmp_path) == [
        "d.tar!a: Agent: Hello.",
        "d.tar: (is damaged or cut off; pack it again)",
    ]


def test_an_office_file_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "table.xlsx").write_bytes(zipped(("[Content_Types].xml", b"<Types/>"), ("xl/a.xml", b"<a/>")))
    assert [item.where for item in all_of(tmp_path / "table.xlsx")] == [f"{tmp_path}/table.xlsx"]


@given(st.sampled_from(sorted(ARCHIVES)), st.data())
@settings(max_examples=60)
def test_any_damage_is_an_error_or_a_document(kind: str, data: st.DataObject) -> None:
    content = bytearray(ARCHIVES[kind])
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        for source in all_of(file.name):
            assert isinstance(source.outcome, Document | UnreadableTranscript)

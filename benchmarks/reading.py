"""Measures how fast transcripts are read, beside Python's own parser of the same bytes, and with how much memory.

`python benchmarks/reading.py` enlarges each sample of the tests, of every format, to a document of the
size of a long call, reads it on one core until 8 MB are read, and prints a table. Folders of real
transcripts may be given to be measured in the same way; their names are not shown. `--large` reads
JSON Lines and CSV of 100 MB and of 1 GB too, to see that memory does not grow. `--write` writes all of it to
`READING.md`. Seconds are of processor time, so that what else runs on the machine counts less; it
still counts, which the parser's speed in the same row tells.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import multiprocessing
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.core.conversation import Conversation
from app.transcripts.document import Document
from app.transcripts.registry import format_names, read, read_value
from app.transcripts.tree import Node

SAMPLES = Path(__file__).parents[1] / "tests" / "transcripts" / "samples"
PAGE = Path(__file__).with_name("READING.md")
MEGABYTE = 1 << 20
# An hour on the phone, as most recognisers write it.
DOCUMENT_BYTES = 1 << 18
LARGE_BYTES = (100 * MEGABYTE, 1024 * MEGABYTE)
WORDS = "Good morning, thank you for calling about the monthly plan; it has no fee in the first year."
TURNS = 40
_FEWEST_REPEATS = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """What reading a document once took, in a process of its own; `parsed_s` is of `json.loads`, where it is JSON."""

    formats: tuple[str, ...]
    size_bytes: int
    conversations: int
    turns: int
    read_s: float
    parsed_s: float | None
    peak_mb: float

    @property
    def speed(self) -> float:
        """MB a second."""
        return self.size_bytes / MEGABYTE / self.read_s

    def cells(self) -> list[str]:
        """The figures of a row."""
        parsed = [f"{self.size_bytes / MEGABYTE / self.parsed_s:.0f}", f"{self.read_s / self.parsed_s:.1f}"] if (
            self.parsed_s
        ) else ["", ""]  # fmt: skip
        turns = [f"{self.size_bytes / self.turns:.0f}", f"{self.turns / self.read_s:.0f}"] if self.turns else ["", ""]
        return [f"{self.read_s:.3f}", f"{self.speed:.1f}", *turns, *parsed, f"{self.peak_mb:.0f}"]


HEADINGS = ["CPU s", "MB/s", "bytes a turn", "turns/s", "json.loads MB/s", "times json.loads", "peak MB"]


def _outcomes(value: Any) -> int:
    """How many turns a JSON value holds."""
    entries = read_value(Node(value))
    return sum(len(entry.outcome.turns) for entry in entries if isinstance(entry.outcome, Conversation))


def _lists(value: Any) -> Iterator[list[Any]]:
    """Every list of objects in a value."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        waiting += item.values() if isinstance(item, dict) else item if isinstance(item, list) else []
        if isinstance(item, list) and item and isinstance(item[0], dict):
            yield item


def enlarged_json(content: bytes, size: int) -> bytes | None:
    """The document with the list repeated that gives the most turns; `None` where none gives any."""
    value = json.loads(content)
    best, most = -1, 0
    for place in range(sum(1 for _ in _lists(value))):
        tried = copy.deepcopy(value)
        repeated = list(_lists(tried))[place]
        repeated *= 3
        try:
            turns = _outcomes(tried)
        except Exception:  # noqa: S112 (a list that may not be repeated is not the one looked for)
            continue
        if turns > most:
            best, most = place, turns
    if best < 0:
        return None
    rows = list(_lists(value))[best]
    rows *= max(size // len(json.dumps(rows)), _FEWEST_REPEATS)
    return json.dumps(value).encode()


def enlarged_text(content: bytes, suffix: str, size: int) -> bytes:
    """The lines, cues or rows repeated; the first line of a table and the header of WebVTT stand once."""
    text = content.decode().replace("\r\n", "\n").rstrip("\n")
    head, rest, end = "", text, "\n"
    if suffix in (".vtt", ".srt"):
        head, _, rest = text.partition("\n\n") if suffix == ".vtt" else ("", "", text)
        head, end = head and f"{head}\n\n", "\n\n"
    elif suffix in (".csv", ".tsv"):
        head, _, rest = text.partition("\n")
        head += "\n"
    rest += end
    return (head + rest * max(size // len(rest), _FEWEST_REPEATS)).encode()


def enlarged_parquet(content: bytes, size: int) -> bytes:
    """The table with its rows repeated."""
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(io.BytesIO(content))
    whole, written = pyarrow.concat_tables([table] * max(size // table.nbytes, _FEWEST_REPEATS)), io.BytesIO()
    # Without these, repeated rows would take no bytes.
    pyarrow.parquet.write_table(whole.combine_chunks(), written, compression="none", use_dictionary=False)
    return written.getvalue()


def enlarged(path: Path, size: int) -> bytes | None:
    """A document of about `size` bytes; `None` where the file cannot be made one."""
    content = path.read_bytes()
    try:
        if path.suffix == ".json":
            return enlarged_json(content, size)
        if path.suffix == ".parquet":
            return enlarged_parquet(content, size)
        return enlarged_text(content, path.suffix, size)
    except (ImportError, ValueError):
        return None


def json_lines(size: int) -> Iterator[bytes]:
    """Conversations of softsell's own JSON."""
    sides = ("agent", "customer")
    turns = [{"role": sides[index % 2], "text": WORDS, "start_ms": index * 3000} for index in range(TURNS)]
    written = number = 0
    while written < size:
        line = json.dumps({"id": f"c-{number}", "turns": turns}).encode() + b"\n"
        number, written = number + 1, written + len(line)
        yield line


def csv_lines(size: int) -> Iterator[bytes]:
    """Rows of many conversations."""
    yield b"conversation_id,speaker,start_ms,text\n"
    written = number = 0
    while written < size:
        who = "Customer" if number % 2 else "Agent"
        line = f'c-{number // TURNS},{who},{number % TURNS * 3000},"{WORDS}"\n'.encode()
        number, written = number + 1, written + len(line)
        yield line


def _stamp(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def vtt_lines(size: int) -> Iterator[bytes]:
    """Cues with voices."""
    yield b"WEBVTT\n\n"
    for number in range(size // (len(WORDS) + 50)):
        start, end = _stamp(3 * number % 80_000), _stamp(3 * number % 80_000 + 2)
        yield f"{start}.000 --> {end}.500\n<v Speaker {number % 2}>{WORDS}</v>\n\n".encode()


def srt_lines(size: int) -> Iterator[bytes]:
    """Cues with names."""
    for number in range(size // (len(WORDS) + 50)):
        start, end = _stamp(3 * number % 80_000), _stamp(3 * number % 80_000 + 2)
        who = "Customer" if number % 2 else "Agent"
        yield f"{number + 1}\n{start},000 --> {end},500\n{who}: {WORDS}\n\n".encode()


def text_lines(size: int) -> Iterator[bytes]:
    """Lines of plain text that open with who speaks."""
    for number in range(size // (len(WORDS) + 10)):
        yield f"{'Customer' if number % 2 else 'Agent'}: {WORDS}\n".encode()


MADE: dict[str, Callable[[int], Iterator[bytes]]] = {
    "softsell, JSON Lines": json_lines,
    "csv": csv_lines,
    "webvtt": vtt_lines,
    "srt": srt_lines,
    "plain_text": text_lines,
}


def _parse(content: bytes) -> bool:
    """Parse JSON or lines of it; whether it is such."""
    try:
        json.loads(content)
    except ValueError:
        if not content.lstrip().startswith(b"{"):
            return False
        try:
            for line in content.splitlines():
                json.loads(line)
        except ValueError:
            return False
    return True


def _measure(path: Path, repeats: int) -> Measured:
    # Readers are imported at the first document, and pyarrow at the first table.
    format_names()
    if repeats > 1:
        for _ in read(Document.open(path)):
            pass
    turns = found = 0
    formats: dict[str, None] = {}
    began = time.process_time()
    for _ in range(repeats):
        for entry in read(Document.open(path)):
            formats[entry.format] = None
            if isinstance(entry.outcome, Conversation):
                found, turns = found + 1, turns + len(entry.outcome.turns)
    read_s = time.process_time() - began
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    parsed_s = None
    size_bytes = path.stat().st_size
    if size_bytes < LARGE_BYTES[0]:
        content = path.read_bytes()
        began = time.process_time()
        parsed = all(_parse(content) for _ in range(repeats))
        parsed_s = (time.process_time() - began) / repeats if parsed else None
    return Measured(
        tuple(formats), size_bytes, found // repeats, turns // repeats, read_s / repeats, parsed_s, peak_mb
    )  # fmt: skip


def measured(path: Path, repeats: int = 1) -> Measured:
    """A file read so many times, in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, path, repeats).result()


def _of_documents(documents: Iterable[tuple[str, bytes]], folder: Path, total: int) -> Iterator[list[str]]:
    path = folder / "document"
    for name, content in documents:
        path.write_bytes(content)
        found = measured(path, max(total // len(content), 1))
        if not found.turns:
            # A file beside the transcripts.
            continue
        yield [name or ", ".join(found.formats), f"{found.size_bytes / MEGABYTE:.2f}", *found.cells()]


def _samples(chosen: list[str]) -> Iterator[tuple[str, bytes]]:
    for path in sorted(SAMPLES.glob("*/*")):
        name = path.parent.name
        if (not chosen or name in chosen) and (content := enlarged(path, DOCUMENT_BYTES)):
            yield f"{name}, {path.name}", content


def _large(folder: Path) -> Iterator[list[str]]:
    path = folder / "large"
    for name, lines in (("JSON Lines", json_lines), ("CSV", csv_lines)):
        for size in LARGE_BYTES:
            with path.open("wb") as file:
                file.writelines(lines(size))
            found = measured(path)
            figures = [f"{found.read_s:.1f}", f"{found.speed:.1f}", f"{found.turns}", f"{found.peak_mb:.0f}"]
            yield [name, f"{size // MEGABYTE}", f"{found.conversations}", *figures]


def _table(title: str, headings: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    """A table in Markdown, row by row as it is measured."""
    yield f"\n## {title}\n"
    yield f"| {' | '.join(headings)} |"
    yield f"|---|{'---:|' * (len(headings) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _machine() -> str:
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        name = next(line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.machine()
    return f"{name}, {os.cpu_count()} processors, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}"


def _page(given: argparse.Namespace, folder: Path) -> Iterator[str]:
    total = given.megabytes * MEGABYTE
    headings = ["document", "MB", *HEADINGS]
    yield "# How fast transcripts are read\n"
    yield f"{_machine()}. Made by `python benchmarks/reading.py{' --large' if given.large else ''} --write`.\n"
    yield f"One core; each document is read until {given.megabytes} MB are read. Seconds are processor time for one"
    yield "reading, on a machine that others use too: compare with `json.loads` of the same bytes in the same row."
    made = {name: b"".join(lines(DOCUMENT_BYTES)) for name, lines in MADE.items()}
    yield from _table("Turns of 92 characters", headings, _of_documents(made.items(), folder, total))
    files = [path for place in given.folders for path in sorted(place.rglob("*")) if path.is_file()]
    real = (("", content) for path in files if (content := enlarged(path, DOCUMENT_BYTES)))
    if files:
        yield from _table("Real transcripts, enlarged", headings, _of_documents(real, folder, total))
    samples = _of_documents(_samples(given.only), folder, total)
    yield from _table("The tests' samples, enlarged; most have turns of a few words", headings, samples)
    if given.large:
        columns = ["document", "MB", "conversations", "CPU s", "MB/s", "turns", "peak MB"]
        yield from _table("Files larger than memory need be", columns, _large(folder))


def main() -> None:
    """Print the tables, and write them if asked to."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folders", nargs="*", type=Path, help="real transcripts to measure too")
    options.add_argument("--only", action="append", default=[], help="a format of the samples; may be repeated")
    options.add_argument("--megabytes", type=int, default=8, help="how much of each document is read")
    options.add_argument("--large", action="store_true")
    options.add_argument("--write", action="store_true")
    given = options.parse_args()
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for line in _page(given, Path(folder)):
            print(line, flush=True)
            lines.append(line)
    if given.write:
        PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

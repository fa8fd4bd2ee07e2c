"""Measures how fast transcripts are read, beside Python's own parser of the same bytes, and with how much memory.

`python benchmarks/reading.py` enlarges each sample of the tests to some 20 MB in a temporary folder,
reads it on one core, and prints a table; `--large` reads 1 GB of JSON Lines and of CSV instead and
prints the most memory that it took; `--megabytes N` takes another size, and names of formats choose some.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from app.core.conversation import Conversation
from app.transcripts.document import Document
from app.transcripts.registry import format_names, read

SAMPLES = Path(__file__).parents[1] / "tests" / "transcripts" / "samples"
MEGABYTE = 1 << 20
WORDS = "Good morning, thank you for calling about the monthly plan; it has no fee in the first year."
TURNS = 40


def _longest_list(value: Any) -> list[Any]:
    """The list of objects with the most to read, wherever it stands."""
    best: list[Any] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        waiting += item.values() if isinstance(item, dict) else item if isinstance(item, list) else []
        if (
            isinstance(item, list)
            and item
            and isinstance(item[0], dict)
            and len(json.dumps(item)) > len(json.dumps(best))
        ):
            best = item
    return best


def enlarged_json(path: Path, size: int) -> bytes | None:
    """The sample with its longest list repeated; `None` where it has none."""
    try:
        value = json.loads(path.read_bytes())
    except ValueError:
        return None
    rows = _longest_list(value)
    if not rows:
        return None
    rows *= max(size // len(json.dumps(rows)), 1)
    return json.dumps(value).encode()


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
        start, end = _stamp(number % 80_000), _stamp(number % 80_000 + 1)
        yield f"{start}.000 --> {end}.000\n<v Speaker {number % 2}>{WORDS}</v>\n\n".encode()


def srt_lines(size: int) -> Iterator[bytes]:
    """Cues with names."""
    for number in range(size // (len(WORDS) + 50)):
        start, end = _stamp(number % 80_000), _stamp(number % 80_000 + 1)
        who = "Customer" if number % 2 else "Agent"
        yield f"{number + 1}\n{start},000 --> {end},000\n{who}: {WORDS}\n\n".encode()


def _parse_json(content: bytes) -> None:
    json.loads(content)


def _parse_lines(content: bytes) -> None:
    for line in content.splitlines():
        json.loads(line)


def _parse_csv(content: bytes) -> None:
    for _ in csv.reader(io.StringIO(content.decode(), newline="")):
        pass


def _split(content: bytes) -> None:
    content.decode().split("\n")


def _seconds(run: Callable[[], Any]) -> float:
    """Of processor time, so that what else runs on the machine counts less."""
    began = time.process_time()
    run()
    return time.process_time() - began


def _count(path: Path) -> tuple[float, int, int, float]:
    # Readers are imported at the first document.
    format_names()
    turns = found = 0
    began = time.process_time()
    for entry in read(Document.open(path)):
        if isinstance(entry.outcome, Conversation):
            found, turns = found + 1, turns + len(entry.outcome.turns)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return time.process_time() - began, found, turns, most


def measured(path: Path) -> tuple[float, int, int, float]:
    """Seconds, conversations, turns and the most memory in MB, of reading a file in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_count, path).result()


def _shapes(size: int, chosen: list[str]) -> Iterator[tuple[str, bytes, Callable[[bytes], None]]]:
    made = {
        "JSON Lines": (json_lines, _parse_lines), "CSV": (csv_lines, _parse_csv),
        "VTT": (vtt_lines, _split), "SRT": (srt_lines, _split),
    }  # fmt: skip
    for name, (lines, parse) in made.items():
        if not chosen or name in chosen:
            yield name, b"".join(lines(size)), parse
    for path in sorted(SAMPLES.glob("*/*.json")):
        if (not chosen or path.parent.name in chosen) and (content := enlarged_json(path, size)):
            yield f"{path.parent.name}/{path.stem}", content, _parse_json


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("formats", nargs="*")
    options.add_argument("--large", action="store_true")
    options.add_argument("--megabytes", type=int)
    given = options.parse_args()
    size = (given.megabytes or (1024 if given.large else 20)) * MEGABYTE
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "document"
        if given.large:
            for name, lines in (("JSON Lines", json_lines), ("CSV", csv_lines)):
                with path.open("wb") as file:
                    file.writelines(lines(size))
                seconds, found, turns, most = measured(path)
                speed = path.stat().st_size / MEGABYTE / seconds
                print(f"{name:12} {speed:7.1f} MB/s {found:9} conversations {turns:10} turns {most:7.0f} MB of memory")
            return
        print(f"{'shape':45} {'MB':>6} {'MB/s':>7} {'parser':>8} {'share':>6} {'turns':>8} {'memory':>7}")
        for name, content, parse in _shapes(size, given.formats):
            path.write_bytes(content)
            seconds, _, turns, most = measured(path)
            alone = _seconds(lambda content=content, parse=parse: parse(content))  # type: ignore[misc]
            megabytes = len(content) / MEGABYTE
            print(
                f"{name:45} {megabytes:6.1f} {megabytes / seconds:7.1f} {megabytes / alone:8.1f} "
                f"{alone / seconds:6.0%} {turns:8} {most:4.0f} MB"
            )


if __name__ == "__main__":
    main()

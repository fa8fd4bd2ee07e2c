"""What all parts of a run share: which subjects, how long, the supply of calls, and how far it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.core.conversation import Conversation
from app.engine.windows import SupportsEncoding
from benchmarks.calls import Calls, Load
from benchmarks.results import Results
from benchmarks.subjects import Subject
from benchmarks.wire import Session, Wire


@dataclass(frozen=True)
class Plan:
    """What was asked for."""

    subjects: Sequence[Subject]
    loads: Sequence[Load] = ("calls", "live", "appended", "context", "bare")
    clients: Sequence[int] = (1, 8, 32)
    rounds: int = 3
    seconds: float = 8.0
    warm_s: float = 1.5
    overload_s: float = 120.0
    sockets_s: float = 120.0
    lengths: Sequence[int] = (10, 100, 1000)


@dataclass
class Run:
    """A run under way."""

    plan: Plan
    results: Results
    conversations: Sequence[Conversation]
    encoder: SupportsEncoding
    tell: Callable[[str], None] = field(default=lambda _: None)

    def wire(self, subject: Subject) -> Wire:
        """How a subject is asked."""
        return subject.wire(self.encoder)

    def sessions(self, subject: Subject, load: Load, seed: str) -> Sessions:
        """Requests without end; equal for equal seeds."""
        return Sessions(self.wire(subject), load, Calls(self.conversations, seed))

    def done(self, key: str, stamp: str, cell: dict[str, Any]) -> None:
        """Keep a cell and say so."""
        self.results.put(key, stamp, cell)
        self.tell(key)


class Sessions:
    """Each next call as a subject takes it."""

    def __init__(self, wire: Wire, load: Load, calls: Calls) -> None:
        self._wire, self._load, self._calls = wire, load, calls

    def __iter__(self) -> Sessions:
        return self

    def __next__(self) -> Session:
        return self._wire.session(self._load, next(self._calls))


class Part(Protocol):
    """One module of measurements."""

    def left(self, run: Run) -> int:
        """How many cells are still to be measured."""
        ...

    async def measure(self, run: Run) -> None:
        """Measure them."""
        ...


class Bar:
    """How far the run is: a bar on a terminal, else a line a cell."""

    def __init__(self, cells: int) -> None:
        self._progress: Progress | None = None
        if sys.stderr.isatty():
            columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
            self._progress = Progress(*columns, console=Console(stderr=True))
            self._task = self._progress.add_task("", total=cells)
            self._progress.start()
        self._cells, self._done = cells, 0

    def tell(self, key: str) -> None:
        """One more cell is there."""
        self._done += 1
        if self._progress:
            self._progress.update(self._task, advance=1, description=key)
        else:
            print(f"{self._done}/{self._cells} {key}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Take the bar away."""
        if self._progress:
            self._progress.stop()

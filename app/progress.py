"""How far a run of the command line is: a bar that never mixes with what the run prints."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class _Pace(ProgressColumn):
    """Conversations a second, of late."""

    def render(self, task: Task) -> Text:
        """Empty before it is known."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


class Bar:
    """A progress bar on stderr for two conversations or more, on a terminal; elsewhere nothing."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._progress: Progress | None = None
        if sys.stderr.isatty():
            columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), _Pace(), TimeRemainingColumn())
            self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._progress.add_task("scoring", total=total)

    def expect(self, more: int) -> None:
        """Count `more` conversations than before, and show the bar if that makes two."""
        self._total += more
        if self._progress:
            self._progress.update(self._task, total=self._total)
            if self._total > 1:
                self._progress.start()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar off the terminal while one conversation's result is printed there."""
        if self._progress:
            self._progress.stop()
        yield
        if self._progress:
            self._progress.advance(self._task)
            if self._total > 1:
                self._progress.start()

    def close(self) -> None:
        """Take the bar away."""
        if self._progress:
            self._progress.stop()

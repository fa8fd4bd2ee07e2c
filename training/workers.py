"""Long work on both cores of the machine, in order, with a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tqdm import tqdm

# The engine computes with the interpreter's lock released, one thread a run.
THREADS = 2
Task = TypeVar("Task")
Done = TypeVar("Done")


def done(work: Callable[[Task], Done], tasks: Sequence[Task], what: str, unit: str, quiet: bool = False) -> list[Done]:
    """`work` on each task, in their order; the bar is named `what` and counts `unit`s."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(tqdm(pool.map(work, tasks), total=len(tasks), desc=what, unit=unit, disable=quiet))

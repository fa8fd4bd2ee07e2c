"""How numbers of several rounds become a cell of a table: the median, its spread, and what was wrong with it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from benchmarks.machine import BUSY_SHARE
from benchmarks.results import Cell

NONE = "-"
OK = "200"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table, and an empty one."""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return [*lines, ""]


def number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def median(cells: Sequence[Cell], name: str) -> float | None:
    """The median of a number over rounds; `None` where no round has it."""
    values = [float(cell[name]) for cell in cells if cell.get(name) is not None]
    return statistics.median(values) if values else None


def spread(cells: Sequence[Cell], name: str) -> str:
    """The median, and the lowest and highest round."""
    values = [float(cell[name]) for cell in cells if cell.get(name) is not None]
    if not values:
        return NONE
    text = number(statistics.median(values))
    return text if len(values) == 1 else f"{text} [{number(min(values))}, {number(max(values))}]"


def failures(cells: Sequence[Cell]) -> dict[str, int]:
    """Answers that were no scores, by status, over all rounds."""
    found: dict[str, int] = {}
    for cell in cells:
        for status, count in cell.get("statuses", {}).items():
            if status != OK:
                found[status] = found.get(status, 0) + count
        if cell.get("wrong_answer"):
            found["wrong answer"] = found.get("wrong answer", 0) + 1
    return found


def marked(text: str, cells: Sequence[Cell]) -> str:
    """With * where others kept the cores busy, and ! where not every answer was a score."""
    busy = any((cell.get("others_share") or 0.0) > BUSY_SHARE for cell in cells)
    return text + (r" \*" if busy else "") + (" **!**" if failures(cells) else "")


def quantile_text(value: float | None) -> str:
    """A number, or that there is none."""
    return NONE if value is None else number(value)

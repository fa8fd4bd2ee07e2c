"""The page of `benchmarks.engines`, from its rows."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.machine import commit, describe

if TYPE_CHECKING:
    from benchmarks.engines import Row

PAGE = Path(__file__).with_name("ENGINES.md")
# What a kind may change a probability by, and a window's halves may disagree by, to be the graph of a release.
MOST_CHANGE, MOST_DISAGREEMENT = 0.03, 1e-3
_HEADS = (
    "kind",
    "tokens a CPU second",
    "ratio",
    "a live turn, CPU ms",
    "largest change",
    "mean change",
    "largest change of a token",
    "halves disagree by",
    "file, MB",
    "memory, MB",
    "keeps scores",
)
_TEXT = """
A row is the network of {version} computed in another way, with one thread. Ratio is to the first row. A live turn is
{live} tokens after a window of {lowest} or more, read on from the memory of it. Changes are of probabilities, on
{windows} windows of the calibration split; *halves disagree by* is the largest difference of a logit between a window
read at once and in two halves, the second from the memory of the first. Memory is what loading and running the
graph adds to a process. A kind keeps scores if no probability of a piece changes by more than {most} and halves
agree to {agree:g}.

8-bit products: *one scale a run* takes it from the whole window, so a turn's score depends on what follows it; *a scale
a row* takes it from the row alone. *Balanced* moves range from states to weights and rounds weights by their effect on
other windows of the calibration split. Kinds with products of 8 bits have one more price that no column shows: on x86
processors without VNNI they lose accuracy (ONNX Runtime has `reduce_range` for that), so that the same release would
score differently there.

Not in the table: CTranslate2 takes lengths, no mask by blocks, so it cannot read turns causally.
"""


def _cells(row: Row, first: Row) -> list[str]:
    def tokens_a_s(of: Row) -> float:
        return 1 / float(np.mean(np.min(of.whole_s, axis=0)))

    live_ms = 1000 * float(np.mean(np.min(row.live_s, axis=0)))
    keeps = row.largest_change <= MOST_CHANGE and row.disagreement <= MOST_DISAGREEMENT
    return [
        row.name,
        f"{tokens_a_s(row):,.0f}",
        f"{tokens_a_s(row) / tokens_a_s(first):.2f}",
        f"{live_ms:.1f}",
        f"{row.largest_change:.4f}",
        f"{row.mean_change:.5f}",
        f"{row.largest_token_change:.4f}",
        f"{row.disagreement:.1e}",
        f"{row.megabytes:.0f}",
        "n/a" if row.resident_mb is None else f"{row.resident_mb:.0f}",
        "yes" if keeps else "no",
    ]


def render(version: str, rows: Sequence[Row], live: int, lowest: int) -> str:
    """The page as Markdown; the first row is what the others are held against."""
    machine = describe()
    text = _TEXT.format(
        version=version,
        windows=rows[0].windows,
        live=live,
        lowest=lowest,
        most=MOST_CHANGE,
        agree=MOST_DISAGREEMENT,
    )
    when = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [
        "# Ways to compute the network",
        text,
        "| " + " | ".join(_HEADS) + " |",
        "|---" * len(_HEADS) + "|",
        *("| " + " | ".join(_cells(row, rows[0])) + " |" for row in rows),
        "",
        f"`python -m benchmarks.engines`, {when}, {machine['cores']} cores of {machine['processor']} "
        f"({', '.join(machine['instructions'])}), commit {commit()}.",
        "",
    ]
    return "\n".join(lines)

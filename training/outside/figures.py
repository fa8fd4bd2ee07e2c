"""Shares, AUC, kappa and F1 with 95 % percentile bootstrap intervals, drawn by unit (Efron, 1979).

Each is a function of one weight a row, so that a resample costs a sum and not a sort.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
LEVELS = 3
Floats = NDArray[np.float64]


class Figure(TypedDict):
    """A value with its interval, None where it is not defined; `hits` of `rows` are true."""

    value: float | None
    low: float | None
    high: float | None
    rows: int
    hits: int


def share(units: Sequence[str], hits: Sequence[bool]) -> Figure:
    """How many rows are hits.

    Where none is, or all are, a resample cannot differ: the bound is then that of so many
    independent units (Clopper and Pearson, 1934).
    """
    true = np.asarray(hits, float)
    figure = _figure(units, true, lambda weights: float(weights @ true / weights.sum()))
    edge = 0.025 ** (1 / max(len(set(units)), 1))
    if figure["value"] == 0:
        figure["high"] = round(1 - edge, 4)
    elif figure["value"] == 1:
        figure["low"] = round(edge, 4)
    return figure


def auc(units: Sequence[str], hits: Sequence[bool], scores: Sequence[float]) -> Figure:
    """How often a hit has a higher score than another row; a tie counts half."""
    true, values = np.asarray(hits, float), np.asarray(scores, float)
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=-np.inf))
    hit, other = true[order], 1 - true[order]

    def of(weights: Floats) -> float:
        weights = weights[order]
        above = np.add.reduceat(weights * hit, starts)
        below = np.add.reduceat(weights * other, starts)
        pairs = float(above.sum() * below.sum())
        return float(above @ (np.cumsum(below) - below / 2)) / pairs if pairs else np.nan

    return _figure(units, true, of)


def kappa(units: Sequence[str], true: Sequence[int], predicted: Sequence[int]) -> Figure:
    """Cohen's kappa of levels 0 to 2 with quadratic weights; a hit is a row of level 1 or 2."""
    distance = (np.arange(LEVELS)[:, None] - np.arange(LEVELS)[None, :]) ** 2

    def of(weights: Floats) -> float:
        counts = _confusion(true, predicted, weights)
        by_chance = np.outer(counts.sum(1), counts.sum(0)) / counts.sum()
        expected = float((distance * by_chance).sum())
        return 1 - float((distance * counts).sum()) / expected if expected else np.nan

    return _figure(units, np.asarray(true, float) >= 1, of)


def macro_f1(units: Sequence[str], true: Sequence[int], predicted: Sequence[int]) -> Figure:
    """The mean F1 of levels 0 to 2; a hit is a row of level 1 or 2."""

    def of(weights: Floats) -> float:
        counts = _confusion(true, predicted, weights)
        both = counts.sum(0) + counts.sum(1)
        return float(np.mean(2 * np.diag(counts) / np.where(both > 0, both, 1)))

    return _figure(units, np.asarray(true, float) >= 1, of)


def _confusion(true: Sequence[int], predicted: Sequence[int], weights: Floats) -> Floats:
    cells = np.asarray(true, int) * LEVELS + np.asarray(predicted, int)
    return np.asarray(np.bincount(cells, weights, LEVELS * LEVELS), float).reshape(LEVELS, LEVELS)


def _figure(units: Sequence[str], hits: NDArray[np.generic], statistic: Callable[[Floats], float]) -> Figure:
    rows, positive = len(units), int(hits.sum())
    if not rows:
        return Figure(value=None, low=None, high=None, rows=0, hits=0)
    _, codes = np.unique(np.asarray(units), return_inverse=True)
    count = int(codes.max()) + 1
    rng = np.random.default_rng(0)
    drawn = (np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(RESAMPLES))
    values = [value for weights in drawn if np.isfinite(value := statistic(weights[codes].astype(float)))]
    value = statistic(np.ones(rows))
    low, high = np.percentile(values, [2.5, 97.5]) if values else (np.nan, np.nan)
    return Figure(value=_plain(value), low=_plain(low), high=_plain(high), rows=rows, hits=positive)


def _plain(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None

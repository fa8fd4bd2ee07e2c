"""How hard the model is to fool, how fair and how well calibrated: all trials of a release on the test split."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training import coverage, disguises, fairness, faithfulness, hard_cases, noise, pictures, trials_report
from training.corpus import LabelledConversation
from training.measure import machine
from training.rescoring import SEED, Bench

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of the test split each trial takes, so that all end in some five minutes on two cores."""

    disguises: int = 50
    """Conversations a disguise, of those with a flagged turn, up to their last flagged turn."""
    noise: int = 80
    """Conversations a noise."""
    names: int = 24
    """Conversations for each role, each with the reference name and names of two cultures."""
    varieties: int = 12
    """Conversations a variety."""
    marks: int = 8
    """Conversations a mark."""
    faithfulness: int = 60
    """Flagged turns, each in four variants."""
    words: int = hard_cases.HARMLESS_WORDS
    """Harmless words around a risky turn."""

    @classmethod
    def small(cls, conversations: int) -> Sizes:
        """So many of everything, and of words a hundred times as many."""
        fields = ("disguises", "noise", "names", "varieties", "marks", "faithfulness")
        return cls(**dict.fromkeys(fields, conversations), words=100 * conversations)


def measure(bench: Bench, conversations: Sequence[LabelledConversation], sizes: Sizes) -> dict[str, Any]:
    """Every trial, and when, where and on how much it was measured."""
    started = time.monotonic()
    clean = bench.scores(conversations, "as they are", evidence=True)
    fair_sizes = {"names": sizes.names, "varieties": sizes.varieties, "marks": sizes.marks}
    found = {
        "disguises": disguises.measure(bench, conversations, clean, sizes.disguises),
        "noise": noise.measure(bench, conversations, clean, sizes.noise),
        "fairness": fairness.measure(bench, conversations, clean, fair_sizes),
        "faithfulness": faithfulness.measure(bench, conversations, clean, sizes.faithfulness),
        "coverage": coverage.measure(conversations, clean),
        "hard cases": hard_cases.measure(bench, conversations, clean, sizes.words),
    }
    results: dict[str, Any] = _finite(
        {
            "release": bench.version,
            "measured": {
                "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
                "machine": machine(),
                "seconds": round(time.monotonic() - started),
            },
            "seed": SEED,
            "test": {
                "conversations": len(conversations),
                "turns": sum(len(conversation.turns) for conversation in conversations),
            },
            "sizes": asdict(sizes),
            **found,
        }
    )
    return results


def _finite(value: Any) -> Any:
    """The same with plain numbers of five digits, and None for those that are not finite: JSON knows none."""
    if isinstance(value, dict):
        return {key: _finite(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(held) for held in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, float):
        return round(float(value), 5) if np.isfinite(value) else None
    return value


def write(results: dict[str, Any], folder: Path = FOLDER) -> None:
    """Write `trials.json`, `TRIALS.md` and its two pictures."""
    held = results["coverage"]
    written = {
        "trials.json": json.dumps(results, indent=1) + "\n",
        "TRIALS.md": trials_report.render(results),
        trials_report.RELIABILITY: pictures.reliability(held["reliability"]),
        trials_report.RISK_COVERAGE: pictures.risk_coverage(held["risk-coverage"]),
    }
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")

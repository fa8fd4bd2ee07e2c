"""Every figure of a sealed release, beside the baselines, through the code that serves."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.build import classifier_of
from app.core.calibration import Calibration
from app.core.labels import MATERIAL_SEVERITY
from app.engine.scorer import Scorer
from app.model.release import open_release
from training import baselines, card, evaluate, splits
from training.agreement import measured as measured_agreement
from training.corpus import LabelledConversation
from training.evaluate import CONVERSATION_RISK, Measured, Predictions, of_release


def _novelty(conversation: LabelledConversation) -> str:
    sector = "new sector" if conversation.sector in splits.UNSEEN_TEST_SECTORS else "known sector"
    author = "new author" if conversation.author in splits.UNSEEN_TEST_AUTHORS else "known author"
    return f"{sector}, {author}"


def _length(conversation: LabelledConversation) -> str:
    turns = len(conversation.turns)
    return "up to 8" if turns <= 8 else "9 to 14" if turns <= 14 else "15 to 49" if turns < 50 else "50 or more"


SLICES: dict[str, Callable[[LabelledConversation], str]] = {
    "channel": lambda conversation: str(conversation.channel),
    "region": lambda conversation: conversation.region,
    "test": _novelty,
    "turns": _length,
}


def machine() -> str:
    """The cores, processor and Python that measure."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        named = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = named[0].split(":", 1)[1].strip() if named else model
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"


def measure(release: Path, parts: dict[str, list[LabelledConversation]], quiet: bool = False) -> dict[str, Any]:
    """Every figure of a release on the test split, beside the baselines."""
    opened = open_release(release)
    scorer = Scorer(classifier_of(opened, "onnx", os.cpu_count() or 1), opened.calibration)
    test = parts["test"]
    thresholds = dict(opened.calibration.thresholds)
    predictions = of_release(test, scorer, thresholds, quiet)
    everyone: dict[str, Predictions] = {
        card.MODEL: predictions,
        card.FLOOR: baselines.TfIdf(parts["train"]).predict(parts["calibration"], test),
        "phrase list": baselines.phrases(test),
        "majority": baselines.majority(parts["train"], test),
    }
    beside = {name: Measured(test, predicted) for name, predicted in everyone.items()}
    held_out = {
        "calibration": (parts["calibration"], of_release(parts["calibration"], scorer, thresholds, quiet)),
        "test": (test, predictions),
    }
    figures: dict[str, Any] = _finite(
        {
            "measured": {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "machine": machine()},
            "splits": {name: len(held) for name, held in parts.items()}
            | {"unseen_sectors": list(splits.UNSEEN_TEST_SECTORS)},
            "resamples": evaluate.RESAMPLES,
            "prevalence": {
                "material conversations": np.mean([c.severity >= MATERIAL_SEVERITY for c in test]),
                "mis-selling agent turns": beside[card.MODEL].prevalence(),
            },
            "test": {name: measured.with_intervals(quiet) for name, measured in beside.items()},
            "labels": {name: measured.by_label() for name, measured in beside.items()},
            "slices": {name: measured.slices(SLICES) for name, measured in beside.items()},
            "bands": {
                "medium_from": opened.calibration.medium_from,
                "high_from": opened.calibration.high_from,
                **{name: _bands(opened.calibration, *held) for name, held in held_out.items()},
            },
            "agreement": measured_agreement(),
        }
    )
    return figures


def _bands(
    calibration: Calibration, conversations: Sequence[LabelledConversation], predictions: Predictions
) -> dict[str, float | int | None]:
    """How many conversations fall in the outer bands, and how many of those rightly."""
    material = np.array([c.severity >= MATERIAL_SEVERITY for c in conversations])
    risks = predictions.conversations[:, CONVERSATION_RISK]
    high, low = risks >= calibration.high_from, risks < calibration.medium_from
    return {
        "high": int(high.sum()),
        "low": int(low.sum()),
        "high that are material": float(material[high].mean()) if high.any() else None,
        "low that are not": float(1 - material[low].mean()) if low.any() else None,
    }


def _finite(value: Any) -> Any:
    """The same with None for numbers that are not finite: JSON knows none."""
    if isinstance(value, dict):
        return {key: _finite(held) for key, held in value.items()}
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else None
    return value

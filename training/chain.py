"""The whole way from the corpus to a sealed and measured release."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.build import classifier_of
from app.core.calibration import Calibration
from app.engine.scorer import Scorer
from app.model.release import MANIFEST, TOKENIZER_FILE, newest_release, open_release
from app.model.tokenizer import TurnTokenizer
from app.model.torch import TorchClassifier
from app.settings import MODELS
from training import base, baselines, card, seal, splits
from training.agreement import measured as measured_agreement
from training.calibrate import HIGH_PRECISION, LOW_NEGATIVE_PREDICTIVE_VALUE, MATERIAL_SEVERITY, calibrate
from training.corpus import LabelledConversation
from training.evaluate import CONVERSATION_RISK, Measured, Predictions, of_release
from training.export import rounded
from training.predictions import all_logits
from training.recipe import Recipe
from training.train import train

BUILD = Path("build")
SLICES = {
    "channel": lambda c: str(c.channel),
    "region": lambda c: c.region,
    "sector": lambda c: "unseen" if c.sector in splits.UNSEEN_TEST_SECTORS else "seen",
    "author": lambda c: "unseen" if c.author in splits.UNSEEN_TEST_AUTHORS else "seen",
    "turns": lambda c: "up to 8" if len(c.turns) <= 8 else "9 to 14" if len(c.turns) <= 14 else "more than 14",
}


def _machine() -> str:
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
    predictions = of_release(test, scorer, dict(opened.calibration.thresholds), quiet)
    model = Measured(test, predictions)
    floors: dict[str, Predictions] = {
        "TF-IDF + logistic regression": baselines.TfIdf(parts["train"]).predict(test),
        "phrase list": baselines.phrases(test),
        "majority": baselines.majority(parts["train"], test),
    }
    figures: dict[str, Any] = _finite(
        {
            "measured": {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "machine": _machine()},
            "splits": {name: len(held) for name, held in parts.items()}
            | {"unseen_sectors": list(splits.UNSEEN_TEST_SECTORS)},
            "test": {card.MODEL: model.with_intervals(quiet)}
            | {name: Measured(test, floor).with_intervals(quiet) for name, floor in floors.items()},
            "labels": model.by_label(),
            "slices": model.slices(SLICES),
            "bands": _bands(opened.calibration, test, predictions),
            "agreement": measured_agreement(),
        }
    )
    return figures


def _bands(
    calibration: Calibration, test: Sequence[LabelledConversation], predictions: Predictions
) -> dict[str, float | int | None]:
    material = np.array([c.severity >= MATERIAL_SEVERITY for c in test])
    risks = predictions.conversations[:, CONVERSATION_RISK]
    high, low = risks >= calibration.high_from, risks < calibration.medium_from
    return {
        "medium_from": calibration.medium_from,
        "high_from": calibration.high_from,
        "high_precision": HIGH_PRECISION,
        "low_negative_predictive_value": LOW_NEGATIVE_PREDICTIVE_VALUE,
        "test_high_count": int(high.sum()),
        "test_low_count": int(low.sum()),
        "test_high_precision": float(material[high].mean()) if high.any() else None,
        "test_low_negative_predictive_value": float(1 - material[low].mean()) if low.any() else None,
    }


def _finite(value: Any) -> Any:
    """The same with None for numbers that are not finite: JSON knows none."""
    if isinstance(value, dict):
        return {key: _finite(held) for key, held in value.items()}
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def run(
    parts: dict[str, list[LabelledConversation]],
    recipe: Recipe,
    version: str,
    models: Path,
    build: Path = BUILD,
    quiet: bool = False,
) -> Path:
    """Train (or go on), calibrate, export, seal, evaluate, render the card; returns the release's directory."""
    source = base.fetch(build / "base") if recipe.pretrained else None
    content = (newest_release(MODELS) if source is None else source).joinpath(TOKENIZER_FILE).read_bytes()
    tokenizer = TurnTokenizer(content)
    network = rounded(train(parts["train"], source, tokenizer, recipe, build / recipe.name, quiet))
    logits = all_logits(parts["calibration"], TorchClassifier(network, tokenizer), quiet)
    calibration = calibrate(parts["calibration"], logits)
    release = models / version
    # Without its manifest a half-written release is no release.
    (release / MANIFEST).unlink(missing_ok=True)
    seal.write_model(release, network, content, calibration)
    data = seal.data_facts()
    seal.seal(release, version, recipe, data, {}, "")
    evaluation = measure(release, parts, quiet)
    seal.seal(release, version, recipe, data, evaluation, card.render(version, recipe.as_dict(), data, evaluation))
    return release

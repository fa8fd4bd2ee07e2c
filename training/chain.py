"""The whole way from the corpus to a sealed and measured release."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.model.release import (
    CALIBRATION_FILE,
    LABELS_FILE,
    ONNX_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    newest_release,
    open_release,
)
from app.model.tokenizer import TurnTokenizer
from app.model.torch import TorchClassifier, network_of
from app.settings import MODELS
from training import card, pretrained, seal
from training.calibrate import calibrate
from training.corpus import LabelledConversation
from training.export import rounded, save_onnx, write_model
from training.measure import measure
from training.predictions import all_logits
from training.recipe import Recipe
from training.train import train

BUILD = Path("build")


def run(
    parts: dict[str, list[LabelledConversation]],
    recipe: Recipe,
    version: str,
    models: Path,
    build: Path = BUILD,
    quiet: bool = False,
) -> Path:
    """Train (or go on), calibrate, export, seal, evaluate, render the card; returns the release's directory."""
    source = pretrained.fetch(build / "base") if recipe.pretrained else None
    content = (newest_release(MODELS) if source is None else source).joinpath(TOKENIZER_FILE).read_bytes()
    tokenizer = TurnTokenizer(content)
    data, commit = seal.data_facts(), seal.commit()
    network = rounded(train(parts["train"], source, tokenizer, recipe, build / recipe.name, data, quiet))
    logits = all_logits(parts["calibration"], TorchClassifier(network, tokenizer), quiet)
    calibration = calibrate(parts["calibration"], logits)
    aside = _aside(build, version)
    write_model(aside, network, content, calibration)
    return _measured(aside, version, recipe.as_dict(), data, commit, parts, models, quiet)


def re_export(
    source: Path,
    version: str,
    parts: dict[str, list[LabelledConversation]],
    models: Path,
    build: Path = BUILD,
    quiet: bool = False,
) -> Path:
    """A release with the weights, tokenizer and calibration of another one, to the byte, and a graph built anew.

    For when only the way of computing changes; it is measured like any release.
    """
    opened = open_release(source)
    if opened.version == version:
        raise ValueError(f"{version} is what {source} is already; set another VERSION in training/cli.py")
    aside = _aside(build, version)
    for name in (WEIGHTS_FILE, TOKENIZER_FILE, CALIBRATION_FILE, LABELS_FILE):
        (aside / name).write_bytes(opened.files[name])
    save_onnx(network_of(opened), aside / ONNX_FILE)
    manifest = opened.manifest
    return _measured(aside, version, manifest["recipe"], manifest["data"], manifest["commit"], parts, models, quiet)


def _aside(build: Path, version: str) -> Path:
    """An empty directory to put a release together in: in models/ one is either whole or not there."""
    aside = build / version
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    return aside


def _measured(
    aside: Path,
    version: str,
    recipe: Mapping[str, Any],
    data: Mapping[str, Any],
    commit: str | None,
    parts: dict[str, list[LabelledConversation]],
    models: Path,
    quiet: bool,
) -> Path:
    """Seal what is aside, evaluate it, render its card, and move it to its place."""
    seal.seal(aside, version, recipe, data, {}, "", commit)
    evaluation = measure(aside, parts, quiet)
    text = card.render(version, recipe, data, evaluation)
    seal.seal(aside, version, recipe, data, evaluation, text, commit)
    release = models / version
    shutil.rmtree(release, ignore_errors=True)
    models.mkdir(parents=True, exist_ok=True)
    shutil.move(aside, release)
    return release

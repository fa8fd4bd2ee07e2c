"""The whole way from the corpus to a sealed and measured release."""

from __future__ import annotations

import shutil
from pathlib import Path

from app.model.release import TOKENIZER_FILE, newest_release
from app.model.tokenizer import TurnTokenizer
from app.model.torch import TorchClassifier
from app.settings import MODELS
from training import card, pretrained, seal
from training.calibrate import calibrate
from training.corpus import LabelledConversation
from training.export import rounded, write_model
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
    # Put together aside: in models/ a release is either whole or not there.
    aside = build / version
    shutil.rmtree(aside, ignore_errors=True)
    write_model(aside, network, content, calibration)
    seal.seal(aside, version, recipe.as_dict(), data, {}, "", commit)
    evaluation = measure(aside, parts, quiet)
    text = card.render(version, recipe.as_dict(), data, evaluation)
    seal.seal(aside, version, recipe.as_dict(), data, evaluation, text, commit)
    release = models / version
    shutil.rmtree(release, ignore_errors=True)
    models.mkdir(parents=True, exist_ok=True)
    shutil.move(aside, release)
    return release

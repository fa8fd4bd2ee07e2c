"""The committed release is of the committed corpus, and its card is what its numbers say."""

import json

import pytest

pytest.importorskip("sklearn", reason="the training extra is not installed")

from app.model.release import newest_release, open_release
from app.settings import MODELS
from training import card, seal


def test_the_committed_card_is_what_its_numbers_say() -> None:
    release = open_release(newest_release(MODELS))
    manifest = release.manifest
    assert release.files["README.md"].decode() == card.render(
        release.version, manifest["recipe"], manifest["data"], release.evaluation
    )


def test_the_card_names_the_worst_slice_first() -> None:
    evaluation = open_release(newest_release(MODELS)).evaluation
    name, value = card.worst_slice(evaluation, "any mis-selling: average precision")
    others = [held["any mis-selling: average precision"] for held in evaluation["slices"][card.MODEL].values()]
    assert value == min(others)
    text = card.render("x", {"seed": 1, "epochs": 1}, seal.data_facts(), evaluation)
    assert name in text.split("## What it decides")[0]


def test_the_shipped_release_is_of_the_committed_corpus() -> None:
    stated = open_release(newest_release(MODELS)).manifest["data"]
    assert stated == json.loads(json.dumps(seal.data_facts()))


def test_the_release_carries_the_label_set_of_the_code() -> None:
    release = open_release(newest_release(MODELS))
    assert json.loads(release.files["labels.json"]) == json.loads(json.dumps(seal.labels_document()))

"""The measures measure: perfect predictions score 1, and known mistakes score what they should."""

from dataclasses import replace

import numpy as np
import pytest

from app.core.classifier import TURN_OUTPUTS
from app.core.evidence import Evidence
from app.core.labels import EVIDENCE_LABELS, names
from training import corpus
from training.calibrate import best_threshold, fit_platt
from training.corpus import LabelledConversation
from training.evaluate import Measured, Predictions, calibration_error, f1
from training.examples import piece_target


@pytest.fixture(scope="module")
def conversations() -> list[LabelledConversation]:
    return corpus.load()[:120]


def perfect(conversations: list[LabelledConversation]) -> Predictions:
    turns = [turn for conversation in conversations for turn in conversation.turns]
    targets = np.array([piece_target(turn, frozenset(), frozenset()) for turn in turns], float)
    evidence = [
        tuple(
            Evidence(name, item.start, item.end, 1.0)
            for item in turn.evidence
            for name in item.labels & set(names(EVIDENCE_LABELS))
        )
        for turn in turns
    ]
    whole = np.array([[float(c.severity >= 2), c.empathy] for c in conversations])
    return Predictions(targets, whole, dict.fromkeys(TURN_OUTPUTS, 0.5), evidence)


def test_perfect_predictions_score_one(conversations: list[LabelledConversation]) -> None:
    figures = Measured(conversations, perfect(conversations)).figures(np.arange(len(conversations)))
    for name, value in figures.items():
        assert value == pytest.approx(0.0 if name.endswith(("ECE", "Brier")) else 1.0, abs=1e-6), name


def test_evidence_of_another_category_counts_only_where_the_category_does_not(
    conversations: list[LabelledConversation],
) -> None:
    truth = perfect(conversations)
    moved = [
        tuple(replace(item, label="omission") if item.label == "pressure" else item for item in turn)
        for turn in truth.evidence or []
    ]
    figures = Measured(conversations, replace(truth, evidence=moved)).figures(np.arange(len(conversations)))
    assert figures["evidence, any category: character F1"] == pytest.approx(1.0)
    assert 0.5 < figures["evidence, same category: token F1"] < 1


def test_turned_round_risk_is_worthless(conversations: list[LabelledConversation]) -> None:
    truth = perfect(conversations)
    turned = replace(truth, turns=1 - truth.turns, conversations=1 - truth.conversations)
    figures = Measured(conversations, turned).figures(np.arange(len(conversations)))
    assert figures["any mis-selling: AUC"] == 0
    assert figures["conversation risk: AUC"] == 0


def test_intervals_enclose_the_figure(
    conversations: list[LabelledConversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.evaluate.RESAMPLES", 20)
    truth = perfect(conversations)
    rng = np.random.default_rng(1)
    noisy = replace(truth, turns=np.clip(truth.turns * 0.4 + rng.random(truth.turns.shape) * 0.6, 0, 1))
    found = Measured(conversations, noisy).with_intervals(quiet=True)["any mis-selling: average precision"]
    assert found["low"] < found["value"] < found["high"]


def test_calibration_error_of_what_is_calibrated_and_what_is_not() -> None:
    rng = np.random.default_rng(3)
    probability = rng.random(20_000)
    truth = (rng.random(20_000) < probability).astype(float)
    assert calibration_error(truth, probability) < 0.02
    assert calibration_error(truth, np.ones(20_000)) == pytest.approx(0.5, abs=0.02)


def test_platt_scaling_finds_the_slope_and_intercept_of_the_data() -> None:
    rng = np.random.default_rng(4)
    logits = rng.normal(size=30_000) * 2
    truth = (rng.random(30_000) < 1 / (1 + np.exp(-(0.5 * logits - 1)))).astype(float)
    scale = fit_platt(logits, truth)
    assert scale.slope == pytest.approx(0.5, abs=0.05)
    assert scale.intercept == pytest.approx(-1, abs=0.05)


def test_the_best_threshold_parts_what_can_be_parted() -> None:
    probabilities = np.concatenate([np.full(500, 0.2), np.full(50, 0.6)])
    labels = np.concatenate([np.zeros(500), np.ones(50)])
    assert 0.2 < best_threshold(probabilities, labels) <= 0.6
    assert best_threshold(probabilities, np.zeros(550)) == 0.5


def test_f1_by_hand() -> None:
    assert f1(np.array([True, True, False, False]), np.array([True, False, True, False])) == 0.5

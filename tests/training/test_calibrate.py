"""Bands promise only what the conversations that they are cut on show with confidence."""

import numpy as np
import pytest

from training.calibrate import HIGH_PRECISION, LOW_NEGATIVE_PREDICTIVE_VALUE, _bands, fit_logistic, wilson_lower


def test_wilson_by_hand() -> None:
    # 90 of 100 at z = 1.2816: (0.9 + 0.00821 - 0.03930) / 1.01642
    assert wilson_lower(90, 100) == pytest.approx(0.8549, abs=1e-3)
    assert wilson_lower(10, 10) < 1


def test_bands_hold_what_they_promise() -> None:
    rng = np.random.default_rng(2)
    risks = rng.random(4000)
    material = (rng.random(4000) < risks).astype(float)
    medium_from, high_from = _bands(risks, material)
    assert 0 < medium_from < high_from < 1
    assert material[risks >= high_from].mean() >= HIGH_PRECISION
    assert 1 - material[risks < medium_from].mean() >= LOW_NEGATIVE_PREDICTIVE_VALUE


def test_bands_that_cannot_be_promised_stay_empty() -> None:
    rng = np.random.default_rng(3)
    medium_from, high_from = _bands(rng.random(300), (rng.random(300) < 0.5).astype(float))
    assert medium_from == 0
    assert high_from == 1


def test_no_weight_falls_below_its_bound() -> None:
    rng = np.random.default_rng(4)
    features = rng.normal(size=(2000, 2))
    labels = (rng.random(2000) < 1 / (1 + np.exp(-(2 * features[:, 0] - 2 * features[:, 1])))).astype(float)
    weights, _ = fit_logistic(features, labels, 0.0, np.zeros(2), 0.1)
    assert weights[0] > 1
    assert weights[1] == 0

"""Curves and tables on toy data, and pictures that are well-formed XML with no more than they should hold."""

from xml.etree import ElementTree

import numpy as np
import pytest

from training import pictures
from training.coverage import reliability, risk_coverage


def test_error_among_the_surest() -> None:
    # Sure and right, sure and right, unsure and wrong, unsure and right.
    truth = np.array([True, False, True, True])
    probability = np.array([0.99, 0.02, 0.45, 0.52])
    found = risk_coverage(truth, probability)
    assert found["cases"] == 4
    assert found["errors"][4] == 0  # the surest half
    assert found["errors"][-1] == pytest.approx(1 / 4)
    assert found["area"] == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)


def test_reliability_counts_each_case_once_and_knows_what_is_calibrated() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random(50_000)
    truth = rng.random(50_000) < probability
    found = reliability(truth, probability)
    assert sum(count for _, count, _, _ in found["bins"]) == 50_000
    assert all(mean == pytest.approx(true, abs=0.03) for _, _, mean, true in found["bins"])
    assert found["ECE"] < 0.02
    assert found["Brier"] == pytest.approx(1 / 6, abs=0.01)
    assert reliability(truth, 1 - probability)["ECE"] > 0.4


def test_a_probability_of_one_is_in_the_last_bin_and_empty_bins_are_left_out() -> None:
    found = reliability(np.array([True, False]), np.array([1.0, 0.0]))
    assert [(start, count) for start, count, _, _ in found["bins"]] == [(0.0, 1), (0.9, 1)]
    assert found["Brier"] == 0


def test_pictures_are_svg_with_one_line_a_curve_and_one_dot_a_bin() -> None:
    table = reliability(np.array([True, False, True]), np.array([0.95, 0.05, 0.35]))
    curve = risk_coverage(np.array([True, False]), np.array([0.9, 0.8]))
    svg = "{http://www.w3.org/2000/svg}"
    held = ElementTree.fromstring(pictures.reliability({"a <b> & c": table, "d": table}))  # noqa: S314
    assert len(held.findall(f"{svg}polyline")) == 2
    assert len(held.findall(f"{svg}circle")) == 6
    drawn = ElementTree.fromstring(pictures.risk_coverage({"turn": curve, "whole": curve}))  # noqa: S314
    assert len(drawn.findall(f"{svg}polyline")) == 2

"""Fits the numbers between logits and probabilities on the calibration split.

Platt scaling for each output with a weak pull towards leaving the logit as it is, thresholds for
the best F1, and the two models that add turns up to a conversation. Bands are cut where the
calibration split shows the precision and the negative predictive value stated here with confidence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import lsq_linear, minimize

from app.core.calibration import Calibration, Linear, Platt
from app.core.classifier import TURN_OUTPUTS
from app.core.labels import EVIDENCE_LABELS, MATERIAL_SEVERITY, TURN_LABELS, names
from app.core.tally import EMPATHY_FEATURES, RISK_FEATURES, empathy_features, risk_features, tally
from app.core.turn_scores import TurnScore, turn_score
from training.corpus import LabelledConversation
from training.examples import piece_target
from training.predictions import TurnLogits

HIGH_PRECISION = 0.9
LOW_NEGATIVE_PREDICTIVE_VALUE = 0.95
_Z_90 = 1.2816
_PRIOR = 2.0

Floats = NDArray[np.float64]


def fit_logistic(features: Floats, labels: Floats, lowest: float, start: Floats, pull: float) -> tuple[Floats, float]:
    """Weights of at least `lowest`, and an intercept, by maximum likelihood with a pull to `start`.

    Args:
        features: [rows, features].
        labels: [rows], 0 or 1.
        lowest: what no weight goes below.
        start: [features], where the pull leads.
        pull: its strength, in rows.
    """

    def loss(parameters: Floats) -> tuple[float, Floats]:
        logits = features @ parameters[:-1] + parameters[-1]
        errors = 1 / (1 + np.exp(-np.clip(logits, -500, 500))) - labels
        off = parameters[:-1] - start
        value = float(np.sum(np.logaddexp(0, logits) - labels * logits) + pull * off @ off)
        return value, np.append(features.T @ errors + 2 * pull * off, errors.sum())

    bounds = [(lowest, None)] * features.shape[1] + [(None, None)]
    found = minimize(loss, np.append(start, 0.0), jac=True, method="L-BFGS-B", bounds=bounds)
    return found.x[:-1], float(found.x[-1])


def fit_platt(logits: ArrayLike, labels: ArrayLike) -> Platt:
    """A slope above zero, pulled weakly to 1, and an intercept."""
    slopes, intercept = fit_logistic(
        np.asarray(logits, float)[:, None], np.asarray(labels, float), 0.05, np.ones(1), _PRIOR
    )
    return Platt(float(slopes[0]), intercept)


def best_threshold(probabilities: Floats, labels: Floats) -> float:
    """The probability from which on counting a label gives the best F1; 0.5 where none is positive."""
    if labels.sum() == 0:
        return 0.5
    grid = np.linspace(0.1, 0.8, 71)
    scores = [_f1(probabilities >= cut, labels) for cut in grid]
    # Neighbouring cuts share most of their turns: a smoothed curve is a steadier guide than its peak.
    padded = np.pad(scores, 4, mode="edge")
    return round(float(grid[int(np.argmax(np.convolve(padded, np.ones(9) / 9, "valid")))]), 3)


def _f1(predicted: NDArray[np.bool_], labels: Floats) -> float:
    hits = float((predicted & (labels == 1)).sum())
    return 2 * hits / max(float(predicted.sum() + labels.sum()), 1.0)


def _token_targets(conversation: LabelledConversation, index: int, logits: TurnLogits, label: str) -> Floats:
    spans = [item for item in conversation.turns[index].evidence if label in item.labels]
    return np.array([float(any(s < item.end and e > item.start for item in spans)) for s, e in logits.spans])


def turn_scores(
    conversation: LabelledConversation, logits: Sequence[TurnLogits], scales: dict[str, Platt]
) -> list[TurnScore]:
    """Turn scores of a conversation, without evidence, from raw logits."""
    return [
        turn_score(index, turn.role, [float(logit) for logit in raw.turn], scales)
        for index, (turn, raw) in enumerate(zip(conversation.turns, logits, strict=True))
    ]


def wilson_lower(hits: int, count: int) -> float:
    """The lower end of the one-sided 90 % interval of a share (Wilson, 1927)."""
    share, z2 = hits / count, _Z_90 * _Z_90
    spread = _Z_90 * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    return (share + z2 / (2 * count) - spread) / (1 + z2 / count)


def _bands(risks: Floats, material: Floats) -> tuple[float, float]:
    """Where `medium` and `high` begin: cuts beyond which the stated shares hold with 90 % confidence."""

    def holds(chosen: NDArray[np.bool_], right: Floats, share: float) -> bool:
        count = int(chosen.sum())
        return count > 0 and wilson_lower(int(right[chosen].sum()), count) >= share

    grid = np.linspace(0.02, 0.98, 97)
    high = [cut for cut in grid if holds(risks >= cut, material, HIGH_PRECISION)]
    low = [cut for cut in grid if holds(risks < cut, 1 - material, LOW_NEGATIVE_PREDICTIVE_VALUE)]
    # Where no cut holds, nobody is told that nothing or everything is the matter: the band stays empty.
    high_from, medium_from = float(min(high, default=1.0)), float(max(low, default=0.0))
    return round(min(medium_from, high_from), 2), round(high_from, 2)


def calibrate(conversations: Sequence[LabelledConversation], logits: Sequence[Sequence[TurnLogits]]) -> Calibration:
    """All of a release's calibration, from conversations that training never saw."""
    rows: list[Floats] = []
    targets: list[NDArray[np.float32]] = []
    for conversation, turns in zip(conversations, logits, strict=True):
        for turn, raw in zip(conversation.turns, turns, strict=True):
            rows.append(raw.turn)
            targets.append(piece_target(turn, frozenset(), frozenset()))
    stacked, wanted = np.array(rows), np.array(targets)
    scales: dict[str, Platt] = {}
    thresholds: dict[str, float] = {}
    for column, output in enumerate(TURN_OUTPUTS):
        known = wanted[:, column] >= 0
        scales[output] = fit_platt(stacked[known, column], wanted[known, column])
        if output in names(TURN_LABELS):
            calibrated = np.array([scales[output](value) for value in stacked[known, column]])
            thresholds[output] = best_threshold(calibrated, wanted[known, column])

    token_scales: dict[str, Platt] = {}
    token_thresholds: dict[str, float] = {}
    for column, label in enumerate(EVIDENCE_LABELS):
        values, flags, shown = [], [], []
        for conversation, turns in zip(conversations, logits, strict=True):
            for index, raw in enumerate(turns):
                if conversation.turns[index].role is label.role:
                    values.append(raw.tokens[:, column])
                    flags.append(_token_targets(conversation, index, raw, label.name))
                    logit = float(raw.turn[TURN_OUTPUTS.index(label.name)])
                    shown.append(np.full(len(values[-1]), scales[label.name](logit) >= thresholds[label.name]))
        joined, labels, counted = np.concatenate(values), np.concatenate(flags), np.concatenate(shown)
        token_scales[label.name] = fit_platt(joined, labels)
        calibrated = np.array([token_scales[label.name](value) for value in joined])
        # Only turns that show the label are searched for evidence, so only those set the threshold.
        token_thresholds[label.name] = best_threshold(np.where(counted, calibrated, 0.0), labels)

    scored = [turn_scores(c, turns, scales) for c, turns in zip(conversations, logits, strict=True)]
    material = np.array([float(c.severity >= MATERIAL_SEVERITY) for c in conversations])
    features = np.array([[risk_features(tally(turns))[name] for name in RISK_FEATURES] for turns in scored])
    start = np.array([1.0 if name == "strongest" else 0.0 for name in RISK_FEATURES])
    weights, intercept = fit_logistic(features, material, 0.0, start, _PRIOR / 4)
    risk = Linear(intercept, dict(zip(RISK_FEATURES, map(float, weights), strict=True)))

    warm = np.array([[empathy_features(tally(turns))[name] for name in EMPATHY_FEATURES] for turns in scored])
    levels = np.array([float(c.empathy) for c in conversations])
    ridge = np.vstack([np.column_stack([warm, np.ones(len(warm))]), np.eye(len(EMPATHY_FEATURES) + 1)])
    ridge[-1] = 0
    fitted = lsq_linear(
        ridge,
        np.append(levels, np.zeros(len(EMPATHY_FEATURES) + 1)),
        bounds=([0.0] * len(EMPATHY_FEATURES) + [-np.inf], np.inf),
    ).x
    empathy = Linear(float(fitted[-1]), dict(zip(EMPATHY_FEATURES, map(float, fitted[:-1]), strict=True)))

    risks = 1 / (1 + np.exp(-(features @ weights + intercept)))
    medium_from, high_from = _bands(risks, material)
    return Calibration(
        turn=scales,
        token=token_scales,
        risk=risk,
        empathy=empathy,
        thresholds=thresholds,
        token_thresholds=token_thresholds,
        medium_from=medium_from,
        high_from=high_from,
    )

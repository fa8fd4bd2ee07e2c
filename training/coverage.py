"""How far a score can be trusted: error among the surest, and whether probabilities come true.

Risk-coverage curves follow Geifman and El-Yaniv (NeurIPS 2017), with confidence as the distance from one half;
calibration error is over bins of equal numbers (Nguyen and O'Connor, 2015), the tables over bins of equal width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.conversation import Role
from app.core.labels import MATERIAL_SEVERITY, TURN_LABELS
from app.core.scores import ConversationScore
from training.behaviour import outputs
from training.corpus import LabelledConversation
from training.evaluate import calibration_error
from training.rescoring import risks, truths

BINS = 10
FEWEST_POSITIVES = 100
TURN_RISK, CONVERSATION_RISK = "turn risk", "conversation risk"
COVERAGES = tuple(step / 10 for step in range(1, 11))
Truth = NDArray[np.bool_]
Floats = NDArray[np.float64]


def risk_coverage(truth: Truth, probability: Floats) -> dict[str, Any]:
    """The error at 0.5 of the surest tenth, two tenths, and so on; and the area under the whole curve."""
    order = np.argsort(-np.abs(probability - 0.5), kind="stable")
    wrong = ((probability >= 0.5) != truth)[order]
    errors = np.cumsum(wrong) / np.arange(1, len(wrong) + 1)
    at = [max(round(share * len(wrong)), 1) - 1 for share in COVERAGES]
    return {
        "cases": len(wrong),
        "errors": [float(errors[place]) for place in at],
        "area": float(errors.mean()),
    }


def reliability(truth: Truth, probability: Floats) -> dict[str, Any]:
    """Ten bins of equal width with count, mean probability and share that came true; calibration error and Brier."""
    places = np.minimum((probability * BINS).astype(int), BINS - 1)
    bins = []
    for place in range(BINS):
        inside = places == place
        if inside.any():
            bins.append(
                [place / BINS, int(inside.sum()), float(probability[inside].mean()), float(truth[inside].mean())]
            )
    return {
        "cases": len(truth),
        "positives": int(truth.sum()),
        "ECE": calibration_error(truth.astype(float), probability),
        "Brier": float(((probability - truth) ** 2).mean()),
        "bins": bins,
    }


def measure(conversations: Sequence[LabelledConversation], clean: Sequence[ConversationScore]) -> dict[str, Any]:
    """Both curves, and a reliability table for the risks and each label with at least 100 positives."""
    material = np.array([conversation.severity >= MATERIAL_SEVERITY for conversation in conversations])
    whole = np.array([score.risk or 0.0 for score in clean])
    pairs = {TURN_RISK: (truths(conversations), risks(clean)), CONVERSATION_RISK: (material, whole)}
    tables = {name: reliability(*pair) for name, pair in pairs.items()}
    for label in TURN_LABELS:
        truth, probability = _of_label(conversations, clean, label.name, label.role)
        if truth.sum() >= FEWEST_POSITIVES:
            tables[label.name] = reliability(truth, probability)
    return {
        "risk-coverage": {name: risk_coverage(*pair) for name, pair in pairs.items()},
        "reliability": tables,
    }


def _of_label(
    conversations: Sequence[LabelledConversation], scores: Sequence[ConversationScore], name: str, role: Role
) -> tuple[Truth, Floats]:
    pairs = [
        (name in turn.labels, outputs(scored).get(name, 0.0))
        for conversation, score in zip(conversations, scores, strict=True)
        for turn, scored in zip(conversation.turns, score.turns, strict=True)
        if turn.role is role
    ]
    return np.array([shown for shown, _ in pairs], bool), np.array([probability for _, probability in pairs], float)

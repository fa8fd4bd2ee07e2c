"""Logits to probabilities, and risk to bands, by the numbers that a release carries.

Each output has a slope and an intercept fitted on conversations that training never saw (Platt
scaling: Platt 1999; Guo et al., ICML 2017). Two small linear models add turns up to a conversation;
their weights only ever push one way, so more risk in a turn never means less risk in the whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.core.classifier import TURN_OUTPUTS
from app.core.errors import InvalidRelease, ModelFailed
from app.core.labels import EVIDENCE_LABELS, TURN_LABELS, names

# Probabilities are kept this far from 0 and 1 before taking log-odds.
_EDGE = 1e-4


class Band(StrEnum):
    """What to do with a conversation's risk: leave it, have a look, or act.

    `high` holds the precision and `low` the negative predictive value that the release states.
    """

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


def sigmoid(logit: float) -> float:
    """1 / (1 + e^-logit), without overflow."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    odds = math.exp(logit)
    return odds / (1 + odds)


def log_odds(probability: float) -> float:
    """The inverse of `sigmoid`, finite also at 0 and 1."""
    inside = min(max(probability, _EDGE), 1 - _EDGE)
    return math.log(inside / (1 - inside))


@dataclass(frozen=True, slots=True)
class Platt:
    """probability = sigmoid(slope * logit + intercept); the slope is positive."""

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if self.slope <= 0:
            raise ValueError("a slope is not positive")

    def __call__(self, logit: float) -> float:
        """The probability. Raises `ModelFailed` where the logit is not finite."""
        if not math.isfinite(logit):
            raise ModelFailed("the model gave a number that is not finite; this conversation has no score")
        return sigmoid(self.slope * logit + self.intercept)


@dataclass(frozen=True, slots=True)
class Linear:
    """An intercept and one weight for each named feature."""

    intercept: float
    weights: Mapping[str, float]

    def __call__(self, features: Mapping[str, float]) -> float:
        """The weighted sum; `features` has the keys of `weights`."""
        return self.intercept + sum(weight * features[name] for name, weight in self.weights.items())


@dataclass(frozen=True, slots=True)
class Calibration:
    """All numbers between the network's logits and what a caller reads.

    `turn` has one entry for each of `TURN_OUTPUTS`, `token` for each evidence label. `thresholds`
    says from which probability on a turn counts as showing a label, `token_thresholds` the same for
    a word.
    """

    turn: Mapping[str, Platt]
    token: Mapping[str, Platt]
    risk: Linear
    empathy: Linear
    thresholds: Mapping[str, float]
    token_thresholds: Mapping[str, float]
    medium_from: float
    high_from: float

    def band(self, risk: float) -> Band:
        """The band of a conversation's risk."""
        if risk >= self.high_from:
            return Band.HIGH
        return Band.MEDIUM if risk >= self.medium_from else Band.LOW

    def as_dict(self) -> dict[str, Any]:
        """The form in which a release stores it."""

        def platts(table: Mapping[str, Platt]) -> dict[str, list[float]]:
            return {name: [scale.slope, scale.intercept] for name, scale in table.items()}

        def linear(model: Linear) -> dict[str, Any]:
            return {"intercept": model.intercept, "weights": dict(model.weights)}

        return {
            "turn": platts(self.turn),
            "token": platts(self.token),
            "risk": linear(self.risk),
            "empathy": linear(self.empathy),
            "thresholds": dict(self.thresholds),
            "token_thresholds": dict(self.token_thresholds),
            "bands": {"medium_from": self.medium_from, "high_from": self.high_from},
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Calibration:
        """The inverse of `as_dict`. Raises `InvalidRelease` where something is missing or not finite."""

        def finite(value: Any) -> float:
            number = float(value)
            if not math.isfinite(number):
                raise ValueError("a number is not finite")
            return number

        def platts(key: str, wanted: Sequence[str]) -> dict[str, Platt]:
            return {name: Platt(*(finite(value) for value in stored[key][name])) for name in wanted}

        def linear(key: str) -> Linear:
            weights = {name: finite(value) for name, value in stored[key]["weights"].items()}
            return Linear(finite(stored[key]["intercept"]), weights)

        try:
            return cls(
                turn=platts("turn", TURN_OUTPUTS),
                token=platts("token", names(EVIDENCE_LABELS)),
                risk=linear("risk"),
                empathy=linear("empathy"),
                thresholds={name: finite(stored["thresholds"][name]) for name in names(TURN_LABELS)},
                token_thresholds={name: finite(stored["token_thresholds"][name]) for name in names(EVIDENCE_LABELS)},
                medium_from=finite(stored["bands"]["medium_from"]),
                high_from=finite(stored["bands"]["high_from"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidRelease(
                f"calibration.json is incomplete or damaged ({error}); get the release again"
            ) from error

"""What of a conversation's turns its score is made of, added up turn by turn.

A tally never changes: the next turn gives a new one, of the same size however long the call is. So a
live call's next score costs as much as its first, and a turn that is revised is scored from the tally before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.core.calibration import log_odds
from app.core.conversation import Role
from app.core.labels import DISMISSIVE, EMPATHY_DIMENSIONS, MIS_SELLING, names
from app.core.turn_scores import TurnScore

RISK_FEATURES = ("strongest", "breadth", "excess")
EMPATHY_FEATURES = (
    *(f"mean_{dimension.name}" for dimension in EMPATHY_DIMENSIONS),
    *(f"most_{dimension.name}" for dimension in EMPATHY_DIMENSIONS),
    "mean_considerate",
    "least_considerate",
)
# Turn risk below this is noise, which a long call must not add up to an alarm.
_NOISE = 0.2
# Beyond this many risky turns, one more changes nothing.
_COUNTED_TURNS = 5
_CONSIDERATE = "considerate"


@dataclass(frozen=True, slots=True)
class Tally:
    """The turns so far: who spoke, the highest risks, the highest of each probability, sums of empathy.

    `highest` and `sums` are by label name; a label that no turn has is not in them.
    """

    roles: frozenset[Role] = frozenset()
    highest_risks: tuple[float, ...] = ()
    empathic_turns: int = 0
    highest: Mapping[str, float] = field(default_factory=dict)
    sums: Mapping[str, float] = field(default_factory=dict)

    def after(self, turn: TurnScore) -> Tally:
        """The tally with one more turn."""
        highest, sums = dict(self.highest), self.sums
        for group in (turn.categories, turn.practice, turn.signals, turn.empathy):
            for name, value in group.items():
                if value > highest.get(name, -1.0):
                    highest[name] = value
        if turn.empathy:
            levels = {dimension.name: turn.empathy[dimension.name] for dimension in EMPATHY_DIMENSIONS}
            levels[_CONSIDERATE] = 1 - turn.empathy[DISMISSIVE.name]
            sums = {name: sums.get(name, 0.0) + level for name, level in levels.items()}
        risks = self.highest_risks
        if turn.risk is not None:
            risks = tuple(sorted((*risks, turn.risk), reverse=True)[:_COUNTED_TURNS])
        return Tally(self.roles | {turn.role}, risks, self.empathic_turns + bool(turn.empathy), highest, sums)

    def highest_of(self, labels: Iterable[str]) -> dict[str, float]:
        """The highest probability of each label; 0 where no turn has it."""
        return {label: self.highest.get(label, 0.0) for label in labels}

    def mean_of(self, name: str) -> float:
        """The mean of a dimension of empathy over the turns that have it; 0 where none has."""
        return self.sums[name] / self.empathic_turns if self.empathic_turns else 0.0


def tally(turns: Iterable[TurnScore]) -> Tally:
    """The tally of all turns."""
    whole = Tally()
    for turn in turns:
        whole = whole.after(turn)
    return whole


def risk_features(whole: Tally) -> dict[str, float]:
    """Features of the agent's turns, each of which rises with each turn's risk; see `RISK_FEATURES`."""
    risks = whole.highest_risks
    return {
        "strongest": log_odds(risks[0] if risks else 0.0),
        "breadth": sum(whole.highest_of(names(MIS_SELLING)).values()),
        "excess": sum(max(0.0, risk - _NOISE) for risk in risks),
    }


def empathy_features(whole: Tally) -> dict[str, float]:
    """Means and extremes over the agent's turns; see `EMPATHY_FEATURES`."""
    features: dict[str, float] = {}
    for dimension in EMPATHY_DIMENSIONS:
        features[f"mean_{dimension.name}"] = whole.mean_of(dimension.name)
        features[f"most_{dimension.name}"] = whole.highest.get(dimension.name, 0.0)
    features["mean_considerate"] = whole.mean_of(_CONSIDERATE)
    features["least_considerate"] = 1 - whole.highest[DISMISSIVE.name] if whole.empathic_turns else 0.0
    return features

"""What a score of one turn is, and how it is made of the logits of a turn.

A turn's risk is the highest of the probability of any mis-selling and those of the categories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.core.calibration import Platt
from app.core.classifier import ANY_MIS_SELLING, TURN_OUTPUTS
from app.core.conversation import Role
from app.core.evidence import Evidence
from app.core.labels import DISMISSIVE, EMPATHY_DIMENSIONS, MIS_SELLING, PRACTICE, SIGNALS, names


@dataclass(frozen=True, slots=True)
class TurnScore:
    """One turn. Probabilities by label name; empathy dimensions as expected level / 2.

    `risk`, `categories`, `empathy` and `practice` are of agent turns, `signals` of customer turns;
    a turn of any other role has none of them, nor has one of a side that is not scored.
    """

    turn: int
    role: Role
    risk: float | None = None
    categories: Mapping[str, float] = field(default_factory=dict)
    empathy: Mapping[str, float] = field(default_factory=dict)
    practice: Mapping[str, float] = field(default_factory=dict)
    signals: Mapping[str, float] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()


def turn_score(index: int, role: Role, logits: Sequence[float], scales: Mapping[str, Platt]) -> TurnScore:
    """The score of a turn, without evidence, from its logits in the order of `TURN_OUTPUTS`."""
    if role not in (Role.AGENT, Role.CUSTOMER):
        return TurnScore(index, role)
    p = {name: scales[name](logit) for name, logit in zip(TURN_OUTPUTS, logits, strict=True)}
    if role is Role.CUSTOMER:
        return TurnScore(index, role, signals={name: p[name] for name in names(SIGNALS)})
    categories = {name: p[name] for name in names(MIS_SELLING)}
    empathy = {d.name: (p[f"{d.name}_1"] + p[f"{d.name}_2"]) / 2 for d in EMPATHY_DIMENSIONS}
    return TurnScore(
        index,
        role,
        risk=max(p[ANY_MIS_SELLING], *categories.values()),
        categories=categories,
        empathy=empathy | {DISMISSIVE.name: p[DISMISSIVE.name]},
        practice={name: p[name] for name in names(PRACTICE)},
    )

"""What a score is, for a turn and for a conversation, and how turns add up to a conversation.

A turn's risk is the highest of the probability of any mis-selling and those of the categories. A
conversation's `categories`, `practice`, `signals` and `dismissive` are those of the turn that shows
them most; the dimensions of empathy are means over the agent's turns. Mis-selling risk, the
probability that severity is material, is a logistic model with weights of at least zero over three
features of the turns' risks; the empathy score is a linear one. Both are in `calibration.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.core.calibration import Band, Calibration, Platt, log_odds, sigmoid
from app.core.classifier import ANY_MIS_SELLING, TURN_OUTPUTS
from app.core.conversation import Role
from app.core.evidence import Evidence
from app.core.labels import DISMISSIVE, EMPATHY_DIMENSIONS, MIS_SELLING, PRACTICE, SIGNALS, names

RISK_FEATURES = ("strongest", "breadth", "excess")
EMPATHY_FEATURES = (
    *(f"mean_{dimension.name}" for dimension in EMPATHY_DIMENSIONS),
    *(f"most_{dimension.name}" for dimension in EMPATHY_DIMENSIONS),
    "mean_considerate",
    "least_considerate",
)
HIGHEST_EMPATHY = 4
# Turn risk below this is noise, which a long call must not add up to an alarm.
_NOISE = 0.2
# Beyond this many risky turns, one more changes nothing.
_COUNTED_TURNS = 5


@dataclass(frozen=True, slots=True)
class TurnScore:
    """One turn. Probabilities by label name; empathy dimensions as expected level / 2.

    `risk`, `categories`, `empathy` and `practice` are of agent turns, `signals` of customer turns;
    a turn of any other role has none of them.
    """

    turn: int
    role: Role
    risk: float | None = None
    categories: Mapping[str, float] = field(default_factory=dict)
    empathy: Mapping[str, float] = field(default_factory=dict)
    practice: Mapping[str, float] = field(default_factory=dict)
    signals: Mapping[str, float] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Abstention:
    """What was not scored, and why: `code` is stable, `detail` says what to do."""

    of: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class ConversationScore:
    """A whole conversation. `None` or empty where `abstained` says why."""

    turns: tuple[TurnScore, ...]
    risk: float | None
    band: Band | None
    categories: Mapping[str, float]
    empathy_score: float | None
    empathy: Mapping[str, float]
    practice: Mapping[str, float]
    signals: Mapping[str, float]
    abstained: tuple[Abstention, ...]
    tokens: int


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


def risk_features(turns: Sequence[TurnScore]) -> dict[str, float]:
    """Features of the agent's turns, each of which rises with each turn's risk; see `RISK_FEATURES`."""
    risks = sorted((turn.risk for turn in turns if turn.risk is not None), reverse=True)
    return {
        "strongest": log_odds(risks[0] if risks else 0.0),
        "breadth": sum(_highest(turns, "categories", names(MIS_SELLING)).values()),
        "excess": sum(max(0.0, risk - _NOISE) for risk in risks[:_COUNTED_TURNS]),
    }


def empathy_features(turns: Sequence[TurnScore]) -> dict[str, float]:
    """Means and extremes over the agent's turns; see `EMPATHY_FEATURES`."""
    scored = [turn.empathy for turn in turns if turn.empathy]
    features: dict[str, float] = {}
    for dimension in EMPATHY_DIMENSIONS:
        levels = [empathy[dimension.name] for empathy in scored]
        features[f"mean_{dimension.name}"] = sum(levels) / len(levels) if levels else 0.0
        features[f"most_{dimension.name}"] = max(levels, default=0.0)
    considerate = [1 - empathy[DISMISSIVE.name] for empathy in scored]
    features["mean_considerate"] = sum(considerate) / len(considerate) if considerate else 0.0
    features["least_considerate"] = min(considerate, default=0.0)
    return features


def _highest(turns: Sequence[TurnScore], group: str, labels: Sequence[str]) -> dict[str, float]:
    tables = [table for turn in turns if (table := getattr(turn, group))]
    return {label: max((table[label] for table in tables), default=0.0) for label in labels}


def add_up(turns: Sequence[TurnScore], calibration: Calibration, tokens: int) -> ConversationScore:
    """The conversation's score from its turns'."""
    abstained: list[Abstention] = []
    has_agent = any(turn.role is Role.AGENT for turn in turns)
    has_customer = any(turn.role is Role.CUSTOMER for turn in turns)
    has_unknown = any(turn.role is Role.UNKNOWN for turn in turns)

    risk = band = empathy_score = None
    categories: dict[str, float] = {}
    practice: dict[str, float] = {}
    empathy: dict[str, float] = {}
    if has_agent:
        risk = sigmoid(calibration.risk(risk_features(turns)))
        band = calibration.band(risk)
        categories = _highest(turns, "categories", names(MIS_SELLING))
        practice = _highest(turns, "practice", names(PRACTICE))
        features = empathy_features(turns)
        empathy_score = min(max(calibration.empathy(features) / HIGHEST_EMPATHY, 0.0), 1.0)
        empathy = {dimension.name: features[f"mean_{dimension.name}"] for dimension in EMPATHY_DIMENSIONS}
        empathy |= _highest(turns, "empathy", [DISMISSIVE.name])
    else:
        code = "roles_unknown" if has_unknown else "no_agent_turns"
        detail = "no turn has the role 'agent'; say which speaker is the agent"
        abstained += [Abstention(of, code, detail) for of in ("mis_selling", "empathy", "practice")]
    if not has_customer:
        code = "roles_unknown" if has_unknown else "no_customer_turns"
        detail = "no turn has the role 'customer'; say which speaker is the customer"
        abstained.append(Abstention("signals", code, detail))
    return ConversationScore(
        turns=tuple(turns),
        risk=risk,
        band=band,
        categories=categories,
        empathy_score=empathy_score,
        empathy=empathy,
        practice=practice,
        signals=_highest(turns, "signals", names(SIGNALS)) if has_customer else {},
        abstained=tuple(abstained),
        tokens=tokens,
    )

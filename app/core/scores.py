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
from app.core.legibility import FEWEST_WORDS, Unreadable

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
_REMEDIES = {
    Unreadable.LANGUAGE_NOT_ENGLISH: "the {side} speaks mostly another language; the model reads English only",
    Unreadable.TOO_LITTLE_SAID: f"the {{side}} says fewer than {FEWEST_WORDS} words; score again when more is said",
    Unreadable.TEXT_TOO_DAMAGED: "most of the {side}'s words are redacted or unreadable; send the text as it was said",
}


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


def _not_scored(side: Role, roles: set[Role], unreadable: Mapping[Role, Unreadable]) -> tuple[str, str] | None:
    """Code and detail of why a side has no score, if it has none."""
    if side not in roles:
        code = "roles_unknown" if Role.UNKNOWN in roles else f"no_{side}_turns"
        return code, f"no turn has the role '{side}'; say which speaker is the {side}"
    if reason := unreadable.get(side):
        return reason.value, _REMEDIES[reason].format(side=side)
    return None


def add_up(
    turns: Sequence[TurnScore],
    calibration: Calibration,
    tokens: int,
    unreadable: Mapping[Role, Unreadable] | None = None,
) -> ConversationScore:
    """The conversation's score from its turns'; of a side that is `unreadable` nothing is scored.

    Nor are its turns, unless the only reason is that too little has been said so far: a live call's
    first turn has the score that it will have in the end.
    """
    unreadable = unreadable or {}
    withheld = {role for role, reason in unreadable.items() if reason is not Unreadable.TOO_LITTLE_SAID}
    turns = [TurnScore(turn.turn, turn.role) if turn.role in withheld else turn for turn in turns]
    roles = {turn.role for turn in turns}
    no_agent, no_customer = (_not_scored(side, roles, unreadable) for side in (Role.AGENT, Role.CUSTOMER))
    abstained: list[Abstention] = []

    risk = band = empathy_score = None
    categories: dict[str, float] = {}
    practice: dict[str, float] = {}
    empathy: dict[str, float] = {}
    if no_agent is None:
        risk = sigmoid(calibration.risk(risk_features(turns)))
        band = calibration.band(risk)
        categories = _highest(turns, "categories", names(MIS_SELLING))
        practice = _highest(turns, "practice", names(PRACTICE))
        features = empathy_features(turns)
        empathy_score = min(max(calibration.empathy(features) / HIGHEST_EMPATHY, 0.0), 1.0)
        empathy = {dimension.name: features[f"mean_{dimension.name}"] for dimension in EMPATHY_DIMENSIONS}
        empathy |= _highest(turns, "empathy", [DISMISSIVE.name])
    else:
        abstained += [Abstention(of, *no_agent) for of in ("mis_selling", "empathy", "practice")]
    if no_customer is not None:
        abstained.append(Abstention("signals", *no_customer))
    return ConversationScore(
        turns=tuple(turns),
        risk=risk,
        band=band,
        categories=categories,
        empathy_score=empathy_score,
        empathy=empathy,
        practice=practice,
        signals=_highest(turns, "signals", names(SIGNALS)) if no_customer is None else {},
        abstained=tuple(abstained),
        tokens=tokens,
    )

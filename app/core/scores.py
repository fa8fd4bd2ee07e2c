"""What a score of a conversation is, and how its turns add up to one.

A conversation's `categories`, `practice`, `signals` and `dismissive` are those of the turn that shows
them most; the dimensions of empathy are means over the agent's turns. Mis-selling risk, the
probability that severity is material, is a logistic model with weights of at least zero over three
features of the turns' risks; the empathy score is a linear one. Both are in `calibration.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core.calibration import Band, Calibration, sigmoid
from app.core.conversation import Role
from app.core.labels import DISMISSIVE, EMPATHY_DIMENSIONS, MIS_SELLING, PRACTICE, SIGNALS, names
from app.core.legibility import FEWEST_WORDS, Unreadable
from app.core.tally import Tally, empathy_features, risk_features
from app.core.turn_scores import TurnScore

HIGHEST_EMPATHY = 4
_REMEDIES = {
    Unreadable.LANGUAGE_NOT_ENGLISH: "the {side} speaks mostly another language; the model reads English only",
    Unreadable.TOO_LITTLE_SAID: f"the {{side}} says fewer than {FEWEST_WORDS} words; score again when more is said",
    Unreadable.TEXT_TOO_DAMAGED: "most of the {side}'s words are redacted or unreadable; send the text as it was said",
}


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


def _not_scored(side: Role, roles: frozenset[Role], unreadable: Mapping[Role, Unreadable]) -> tuple[str, str] | None:
    """Code and detail of why a side has no score, if it has none."""
    if side not in roles:
        code = "roles_unknown" if Role.UNKNOWN in roles else f"no_{side}_turns"
        return code, f"no turn has the role '{side}'; say which speaker is the {side}"
    if reason := unreadable.get(side):
        return reason.value, _REMEDIES[reason].format(side=side)
    return None


def add_up(
    turns: Sequence[TurnScore],
    whole: Tally,
    calibration: Calibration,
    tokens: int,
    unreadable: Mapping[Role, Unreadable] | None = None,
) -> ConversationScore:
    """The conversation's score from its turns' and their tally; of a side that is `unreadable` nothing is scored.

    Nor are its turns, unless the only reason is that too little has been said so far: a live call's
    first turn has the score that it will have in the end.
    """
    unreadable = unreadable or {}
    withheld = {role for role, reason in unreadable.items() if reason is not Unreadable.TOO_LITTLE_SAID}
    if withheld:
        turns = [TurnScore(turn.turn, turn.role) if turn.role in withheld else turn for turn in turns]
    no_agent, no_customer = (_not_scored(side, whole.roles, unreadable) for side in (Role.AGENT, Role.CUSTOMER))
    abstained: list[Abstention] = []

    risk = band = empathy_score = None
    categories: dict[str, float] = {}
    practice: dict[str, float] = {}
    empathy: dict[str, float] = {}
    if no_agent is None:
        risk = sigmoid(calibration.risk(risk_features(whole)))
        band = calibration.band(risk)
        categories = whole.highest_of(names(MIS_SELLING))
        practice = whole.highest_of(names(PRACTICE))
        features = empathy_features(whole)
        empathy_score = min(max(calibration.empathy(features) / HIGHEST_EMPATHY, 0.0), 1.0)
        empathy = {dimension.name: features[f"mean_{dimension.name}"] for dimension in EMPATHY_DIMENSIONS}
        empathy |= whole.highest_of([DISMISSIVE.name])
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
        signals=whole.highest_of(names(SIGNALS)) if no_customer is None else {},
        abstained=tuple(abstained),
        tokens=tokens,
    )

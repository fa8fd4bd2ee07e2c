"""Figures that several families share: false alarms, and how a turn's output ranks marked turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from app.core.calibration import Band
from app.core.conversation import Role
from app.core.labels import MIS_SELLING, names
from training.behaviour import outputs
from training.outside.figures import Figure, auc, share
from training.outside.sets import Marks, Scored

LIKELY = 0.5
TURNS_FLAGGED = "agent turns over a threshold, any category"
TURNS_LIKELY = f"agent turns with a risk of {LIKELY} or more"
TALKS_HIGH = "conversations in band high"
TALKS_LIKELY = f"conversations with a risk of {LIKELY} or more"


def turn_alarms(scored: Sequence[Scored], thresholds: Mapping[str, float]) -> dict[str, Figure]:
    """Shares of agent turns that are flagged at the shipped thresholds, in all and by category."""
    turns = [(held.talk.unit, turn) for held in scored for turn, _ in held.turns(Role.AGENT)]
    units = [unit for unit, _ in turns]
    found = {
        TURNS_FLAGGED: share(units, [any(t.categories[c] >= thresholds[c] for c in t.categories) for _, t in turns]),
        TURNS_LIKELY: share(units, [(turn.risk or 0.0) >= LIKELY for _, turn in turns]),
    }
    for name in names(MIS_SELLING):
        found[f"agent turns over the threshold of {name}"] = share(
            units, [turn.categories[name] >= thresholds[name] for _, turn in turns]
        )
    return found


def talk_alarms(scored: Sequence[Scored], thresholds: Mapping[str, float]) -> dict[str, Figure]:
    """Shares of conversations in band high, of a risk that is likely, and with a flagged turn by category."""
    scored = [held for held in scored if held.score.risk is not None]
    units = [held.talk.unit for held in scored]
    found = {
        TALKS_HIGH: share(units, [held.score.band is Band.HIGH for held in scored]),
        TALKS_LIKELY: share(units, [(held.score.risk or 0.0) >= LIKELY for held in scored]),
    }
    for name in names(MIS_SELLING):
        hits = [held.score.categories.get(name, 0.0) >= thresholds[name] for held in scored]
        found[f"conversations with a turn over the threshold of {name}"] = share(units, hits)
    return found


def alarms(scored: Sequence[Scored], thresholds: Mapping[str, float]) -> dict[str, Figure]:
    """Both of the above."""
    return turn_alarms(scored, thresholds) | talk_alarms(scored, thresholds)


def has(*wanted: str) -> Callable[[Marks], bool]:
    """Whether marks hold one of those wanted."""
    return lambda marks: not marks.isdisjoint(wanted)


def _every(_: Marks) -> bool:
    return True


def turn_auc(
    scored: Sequence[Scored],
    role: Role,
    output: str,
    hit: Callable[[Marks], bool],
    among: Callable[[Marks], bool] = _every,
) -> Figure:
    """How an output ranks the turns of a role whose marks are a hit above others of `among`."""
    rows = [
        (h.talk.unit, marks, outputs(turn)[output]) for h in scored for turn, marks in h.turns(role) if among(marks)
    ]
    return auc([unit for unit, _, _ in rows], [hit(marks) for _, marks, _ in rows], [value for _, _, value in rows])


def turn_share(
    scored: Sequence[Scored], output: str, threshold: float, among: Callable[[Marks], bool] = _every
) -> Figure:
    """The share of agent turns of `among` on which an output reaches a threshold."""
    rows = [(h.talk.unit, outputs(t)[output]) for h in scored for t, marks in h.turns(Role.AGENT) if among(marks)]
    return share([unit for unit, _ in rows], [value >= threshold for _, value in rows])

"""When a live conversation rings: a policy over its turns' scores, not a threshold on noise.

A category rings at a turn that shows it (`on`), if the turns that showed it lately are evidence enough:
`min_turns` of them, whose probabilities add up to `min_total`, among the last `window_turns` turns. It then
stays rung, however often it is shown again, until none of the last `window_turns` turns reaches `off`;
only after that can it ring anew. What rings hangs on the turns and on nothing else: the same turns give
the same alerts, in one go or one by one, and a turn that is revised leaves no trace of what it said before.

By default a category's `on` is the release's threshold for it, the one by which its evaluation counts a
turn as showing the category, and `min_total` is where the release's band `high` begins. A turn over the
threshold is more often right than wrong, but an hour's call has hundreds; so one turn rings alone only
if it is as sure as the band asks, and less sure ones ring together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.core.labels import DISMISSIVE, MIS_SELLING, SIGNALS, names
from app.core.turn_scores import TurnScore

# What can ring; good practice is no cause for alarm.
ALERT_LABELS = (*names(MIS_SELLING), DISMISSIVE.name, *names(SIGNALS))
# A little over a minute of talk.
USUAL_WINDOW_TURNS = 20
LONGEST_WINDOW_TURNS = 200
_OFF_SHARE = 0.5


class AlertState(StrEnum):
    """What became of an alert: it rang; its category is quiet again; or a revision took its ground away."""

    RAISED = "raised"
    QUIET = "quiet"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Trigger:
    """What makes one category ring and fall quiet; probabilities from 0 to 1."""

    on: float
    off: float
    min_turns: int = 1
    min_total: float = 0.0
    window_turns: int = USUAL_WINDOW_TURNS

    def __post_init__(self) -> None:
        if not 0 < self.off <= self.on <= 1:
            raise ValueError("0 < off <= on <= 1 does not hold")
        if not 1 <= self.min_turns <= self.window_turns <= LONGEST_WINDOW_TURNS:
            raise ValueError(f"1 <= min_turns <= window_turns <= {LONGEST_WINDOW_TURNS} does not hold")


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """A trigger for each category that may ring, and whether a recognition that may still change can ring."""

    triggers: Mapping[str, Trigger]
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Alert:
    """A category that rang at a turn: `turns` showed it, the last of them is the one at which it crossed."""

    category: str
    turns: tuple[int, ...]
    total: float

    @property
    def turn(self) -> int:
        """The index of the turn at which it rang."""
        return self.turns[-1]


@dataclass(frozen=True, slots=True)
class Change:
    """Something to tell: an alert and what became of it, at the turn of that index."""

    state: AlertState
    alert: Alert
    turn: int


@dataclass(frozen=True, slots=True)
class Watch:
    """The state after one turn: what rings, what began and ended there, and the last turn that counted, or -1."""

    ringing: Mapping[str, Alert] = field(default_factory=dict)
    raised: tuple[Alert, ...] = ()
    quieted: tuple[Alert, ...] = ()
    counted: int = -1
    before: int = -1


def usual_trigger(threshold: float, high_from: float) -> Trigger:
    """The default for a category of this threshold, in a release whose band `high` begins there."""
    return Trigger(threshold, threshold * _OFF_SHARE, min_total=max(threshold, high_from))


def usual_policy(thresholds: Mapping[str, float], high_from: float) -> AlertPolicy:
    """All mis-selling categories, by the numbers of a release; only final turns ring."""
    return AlertPolicy({name: usual_trigger(thresholds[name], high_from) for name in names(MIS_SELLING)})


def probability(turn: TurnScore, label: str) -> float:
    """How much a turn shows a label; 0 where it cannot."""
    for group in (turn.categories, turn.signals, turn.empathy):
        if label in group:
            return group[label]
    return 0.0


def continued(
    known: Sequence[Watch], scores: Sequence[TurnScore], finals: Sequence[bool], policy: AlertPolicy
) -> list[Watch]:
    """The states after each turn that `known` does not reach.

    Args:
        known: the states after the first turns, of the same history and policy.
        scores: all turns.
        finals: which of them are final.
        policy: when to ring.
    """
    watches = list(known)
    state = watches[-1] if watches else Watch()
    for index in range(len(known), len(scores)):
        if not (finals[index] or policy.partial):
            state = Watch(state.ringing, counted=state.counted, before=state.before)
        else:
            # A turn that counts points to the one before it, so that a window never walks over others.
            linked = Watch(counted=index, before=state.counted)
            watches.append(linked)
            state = _after(state.ringing, linked, watches, scores, policy)
            watches.pop()
        watches.append(state)
    return watches[len(known) :]


def watched(scores: Sequence[TurnScore], finals: Sequence[bool], policy: AlertPolicy) -> list[Watch]:
    """The state after each turn of a history."""
    return continued((), scores, finals, policy)


def raised(watches: Iterable[Watch]) -> list[Alert]:
    """All alerts of a history, in the order in which they rang."""
    return [alert for watch in watches for alert in watch.raised]


def changes(old: Sequence[Watch], new: Sequence[Watch], first: int) -> list[Change]:
    """What to tell when the states from the turn `first` on were `old` and are `new`, withdrawals first.

    An alert stays the same one, and is not told again, if its category still rings at the same turn.
    """
    before = {(alert.category, alert.turn): alert for alert in raised(old)}
    after = {(alert.category, alert.turn): alert for alert in raised(new)}
    was_quiet, is_quiet = _quieted(old), _quieted(new)
    told = [Change(AlertState.WITHDRAWN, alert, first) for key, alert in before.items() if key not in after]
    # What had fallen quiet, and rings on now that a turn says something else, is told as it stands.
    told += [
        Change(AlertState.RAISED, alert, first)
        for key, alert in was_quiet.items()
        if key not in is_quiet and (key in after or alert.turn < first)
    ]
    for index, watch in enumerate(new, first):
        told += [
            Change(AlertState.QUIET, alert, index)
            for alert in watch.quieted
            if (alert.category, alert.turn) not in was_quiet
        ]
        told += [
            Change(AlertState.RAISED, alert, index)
            for alert in watch.raised
            if (alert.category, alert.turn) not in before
        ]
    return told


def _quieted(watches: Iterable[Watch]) -> dict[tuple[str, int], Alert]:
    return {(alert.category, alert.turn): alert for watch in watches for alert in watch.quieted}


def _after(
    ringing: Mapping[str, Alert],
    linked: Watch,
    watches: Sequence[Watch],
    scores: Sequence[TurnScore],
    policy: AlertPolicy,
) -> Watch:
    """The state after the turn of `linked`, the last of `watches`."""
    index = linked.counted
    now: dict[str, Alert] | None = None
    began: list[Alert] = []
    ended: list[Alert] = []
    for category, trigger in policy.triggers.items():
        current = probability(scores[index], category)
        alert = ringing.get(category)
        if alert is None and current >= trigger.on:
            window = _window(category, index, watches, scores, trigger)
            shown = [(turn, value) for turn, value in window if value >= trigger.on]
            total = sum(value for _, value in shown)
            if len(shown) >= trigger.min_turns and total >= trigger.min_total:
                alert = Alert(category, tuple(turn for turn, _ in reversed(shown)), total)
                began.append(alert)
                now = {**(ringing if now is None else now), category: alert}
        elif alert is not None and current < trigger.off:
            window = _window(category, index, watches, scores, trigger)
            if all(value < trigger.off for _, value in window):
                ended.append(alert)
                now = {name: other for name, other in (ringing if now is None else now).items() if name != category}
    return Watch(ringing if now is None else now, tuple(began), tuple(ended), index, linked.before)


def _window(
    category: str, index: int, watches: Sequence[Watch], scores: Sequence[TurnScore], trigger: Trigger
) -> Iterator[tuple[int, float]]:
    """The last turns that count, from `index` backwards, each with how much it shows the category."""
    for _ in range(trigger.window_turns):
        if index < 0:
            return
        yield index, probability(scores[index], category)
        index = watches[index].before

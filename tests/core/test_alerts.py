"""Alerts are a policy over a history: nothing rings without ground, twice, or from what was taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.alerts import (
    ALERT_LABELS,
    AlertPolicy,
    AlertState,
    Trigger,
    changes,
    continued,
    raised,
    usual_policy,
    watched,
)
from app.core.conversation import Role
from app.core.labels import MIS_SELLING, TURN_LABELS, names
from app.core.turn_scores import TurnScore

A, B = "pressure", "exaggeration"

levels = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
spoken = st.tuples(levels, levels, st.booleans(), st.booleans())


def turns_of(history: list[tuple[float, float, bool, bool]]) -> tuple[list[TurnScore], list[bool]]:
    """Agent turns that show A and B, and customer turns that show neither."""
    scores = [
        TurnScore(index, Role.AGENT, max(a, b), categories={A: a, B: b})
        if by_agent
        else TurnScore(index, Role.CUSTOMER, signals={"need": a})
        for index, (a, b, by_agent, _) in enumerate(history)
    ]
    return scores, [final for *_, final in history]


@st.composite
def triggers(draw: st.DrawFn) -> Trigger:
    on = draw(st.sampled_from([0.2, 0.4, 0.6]))
    window = draw(st.integers(1, 6))
    return Trigger(
        on,
        on * draw(st.sampled_from([0.25, 0.5, 1.0])),
        draw(st.integers(1, window)),
        draw(st.sampled_from([0.0, 0.8, 1.5])),
        window,
    )


@st.composite
def policies(draw: st.DrawFn) -> AlertPolicy:
    return AlertPolicy({A: draw(triggers()), B: draw(triggers())}, draw(st.booleans()))


histories = st.lists(spoken, max_size=40)


def agent(*pressure: float) -> list[TurnScore]:
    return [TurnScore(index, Role.AGENT, p, categories={A: p}) for index, p in enumerate(pressure)]


def rung(scores: list[TurnScore], trigger: Trigger) -> list[int]:
    return [alert.turn for alert in raised(watched(scores, [True] * len(scores), AlertPolicy({A: trigger})))]


@given(histories, policies())
def test_nothing_rings_without_turns_that_show_it(
    history: list[tuple[float, float, bool, bool]], policy: AlertPolicy
) -> None:
    scores, finals = turns_of(history)
    for alert in raised(watched(scores, finals, policy)):
        trigger = policy.triggers[alert.category]
        shown = [scores[turn].categories[alert.category] for turn in alert.turns]
        assert all(value >= trigger.on for value in shown)
        assert len(shown) >= trigger.min_turns
        assert alert.total == pytest.approx(sum(shown))
        assert alert.total >= trigger.min_total
        assert policy.partial or all(finals[turn] for turn in alert.turns)


@given(histories, policies(), st.data())
def test_one_by_one_rings_as_in_one_go(
    history: list[tuple[float, float, bool, bool]], policy: AlertPolicy, data: st.DataObject
) -> None:
    scores, finals = turns_of(history)
    once = watched(scores, finals, policy)
    assert once == watched(scores, finals, policy)
    grown: list = []
    while len(grown) < len(scores):
        size = data.draw(st.integers(len(grown) + 1, len(scores)))
        grown += continued(grown, scores[:size], finals[:size], policy)
    assert grown == once


@given(histories, policies())
def test_a_category_rings_again_only_after_it_was_quiet(
    history: list[tuple[float, float, bool, bool]], policy: AlertPolicy
) -> None:
    scores, finals = turns_of(history)
    ringing: set[str] = set()
    for watch in watched(scores, finals, policy):
        for alert in watch.quieted:
            ringing.remove(alert.category)
        for alert in watch.raised:
            assert alert.category not in ringing
            ringing.add(alert.category)
        assert set(watch.ringing) == ringing


@given(histories, policies(), st.integers(0, 39), spoken)
def test_what_is_told_of_a_revision_leads_to_the_history_without_what_was_revised(
    history: list[tuple[float, float, bool, bool]],
    policy: AlertPolicy,
    at: int,
    revised: tuple[float, float, bool, bool],
) -> None:
    if at >= len(history):
        return
    before = watched(*turns_of(history), policy)
    after = watched(*turns_of([*history[:at], revised, *history[at + 1 :]]), policy)
    assert before[:at] == after[:at]
    told = changes(before[at:], after[at:], at)
    assert len({(change.state, change.alert.category, change.alert.turn) for change in told}) == len(told)
    # A listener that knows each alert by category and turn has the right ones, each in its right state.
    states = standing(before)
    for change in told:
        key = change.alert.category, change.alert.turn
        if change.state is AlertState.WITHDRAWN:
            del states[key]
        else:
            states[key] = change.state
    assert states == standing(after)


def standing(watches: list) -> dict[tuple[str, int], AlertState]:
    states = {(alert.category, alert.turn): AlertState.RAISED for alert in raised(watches)}
    return states | {(a.category, a.turn): AlertState.QUIET for watch in watches for a in watch.quieted}


def test_hysteresis() -> None:
    trigger = Trigger(0.5, 0.2, window_turns=2)
    assert rung(agent(0.6, 0.9, 0.6), trigger) == [0]
    # Never below `off` for a whole window: still the same alarm.
    assert rung(agent(0.6, 0.3, 0.3, 0.3, 0.6), trigger) == [0]
    assert rung(agent(0.6, 0.1, 0.1, 0.6), trigger) == [0, 3]
    assert rung(agent(0.6, 0.1, 0.6, 0.1, 0.6), trigger) == [0]


def test_evidence_adds_up_within_the_window_alone() -> None:
    trigger = Trigger(0.4, 0.2, min_total=0.8, window_turns=3)
    assert rung(agent(0.4, 0.3, 0.4), trigger) == [2]
    assert rung(agent(0.4, 0.3, 0.3, 0.4), trigger) == []
    assert rung(agent(0.8), trigger) == [0]
    assert rung(agent(0.9, 0.9), replace(trigger, min_turns=2)) == [1]


def test_turns_that_may_change_ring_only_if_asked_to() -> None:
    scores = agent(0.9, 0.9)
    policy = AlertPolicy({A: Trigger(0.5, 0.2)})
    assert [alert.turn for alert in raised(watched(scores, [False, True], policy))] == [1]
    assert [alert.turn for alert in raised(watched(scores, [False, True], replace(policy, partial=True)))] == [0]
    assert not raised(watched(scores, [False, False], policy))


def test_by_default_one_turn_rings_alone_only_if_it_is_as_sure_as_the_high_band() -> None:
    policy = usual_policy(dict.fromkeys(names(TURN_LABELS), 0.3), 0.67)
    assert set(policy.triggers) == set(names(MIS_SELLING)) < set(ALERT_LABELS)
    assert rung(agent(0.66), policy.triggers[A]) == []
    assert rung(agent(0.67), policy.triggers[A]) == [0]
    assert rung(agent(0.35, 0.1, 0.35), policy.triggers[A]) == [2]


@pytest.mark.parametrize(
    "numbers", [(0.0, 0.0), (0.5, 0.6), (1.1, 0.5), (0.5, 0.2, 3, 0.0, 2), (0.5, 0.2, 0), (0.5, 0.2, 1, 0.0, 201)]
)
def test_a_trigger_that_cannot_work_is_refused(numbers: tuple) -> None:
    with pytest.raises(ValueError, match="does not hold"):
        Trigger(*numbers)

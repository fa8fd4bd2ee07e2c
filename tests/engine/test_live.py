"""A live conversation scores as if it were sent whole, however it was said, and is bounded."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.alerts import AlertPolicy, AlertState, usual_policy, watched
from app.core.conversation import Conversation, Role, Turn
from app.core.errors import InvalidConversation, LimitExceeded, Overloaded
from app.core.labels import TURN_LABELS, names
from app.engine.cache import PrefixCache
from app.engine.limits import Limits
from app.engine.live import LiveConversation
from app.engine.open_conversations import OpenConversations
from app.engine.prefix import keys_of
from app.engine.scorer import Scorer
from app.model.stub import KNOWN_WORDS, StubClassifier, stub_calibration

POLICY = usual_policy(dict.fromkeys(names(TURN_LABELS), 0.5), 0.7)
WORDS = [*sorted(KNOWN_WORDS), "the", "plan", "monthly", "der", "und", "nicht", "ist", "das"]


def scorer(max_bytes: int = 1 << 24) -> Scorer:
    return Scorer(StubClassifier(), stub_calibration(), cache=PrefixCache(max_bytes))


def live_one(limits: Limits | None = None, policy: AlertPolicy = POLICY) -> LiveConversation:
    return LiveConversation(limits or Limits(), policy, "tenant", "c")


def advanced(live: LiveConversation, by: Scorer):
    return live.settle(by.score(live.request(), scope="tenant"))


def said(id_: str, text: str, role: Role = Role.AGENT, **more) -> Turn:
    return Turn(id_, role, text, **more)


steps = st.tuples(
    st.integers(0, 7),
    st.sampled_from([Role.AGENT, Role.CUSTOMER, Role.BOT]),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join),
    st.one_of(st.none(), st.integers(0, 5)),
    st.booleans(),
)


@given(st.lists(st.lists(steps, min_size=1, max_size=4), min_size=1, max_size=10))
def test_however_it_was_said_it_scores_and_rings_as_the_whole(batches: list) -> None:
    engine, live = scorer(), live_one()
    newest: dict[str, tuple[Turn, int]] = {}
    told: dict[int, object] = {}
    standing: dict[tuple[str, int], AlertState] = {}
    for batch in batches:
        for number, role, text, revision, final in batch:
            turn = said(str(number), text, role, is_final=final)
            live.take(turn, revision)
            known = newest.get(turn.id)
            if known is None:
                newest[turn.id] = turn, revision or 0
            elif revision is None and (known[0].role, known[0].text, known[0].is_final) != (role, text, final):
                newest[turn.id] = turn, known[1] + 1
            elif revision is not None and revision > known[1]:
                newest[turn.id] = turn, revision
        if not live.pending:
            continue
        settled = advanced(live, engine)
        # Ordered as first seen, each in its newest revision.
        assert live.turns == tuple(turn for turn, _ in newest.values())
        whole = scorer(0).score(Conversation(live.turns))
        assert live.score == whole
        assert list(live.request().keys) == keys_of(live.turns, "tenant")
        # Whoever puts together what is told has the whole.
        for index in (*settled.said, *settled.rescored):
            told[index] = whole.turns[index]
        assert [told[index] for index in range(len(live))] == list(whole.turns)
        for change in settled.alerts:
            key = change.alert.category, change.alert.turn
            if change.state is AlertState.WITHDRAWN:
                del standing[key]
            else:
                standing[key] = change.state
        watches = watched(whole.turns, [turn.is_final for turn in live.turns], POLICY)
        assert live.alerts == [alert for watch in watches for alert in watch.raised]
        assert sorted(standing) == sorted((alert.category, alert.turn) for alert in live.alerts)
        assert {key for key, state in standing.items() if state is AlertState.RAISED} == {
            (alert.category, alert.turn) for alert in live.ringing
        }


def test_the_same_turn_again_is_nothing_new() -> None:
    live = live_one()
    assert live.take(said("1", "hurry"), 2)
    advanced(live, scorer())
    for revision in (None, 2, 1, 0):
        assert not live.take(said("1", "hurry"), revision)
    assert not live.take(said("1", "something else"), 2)
    assert not live.pending
    assert live.take(said("1", "something else"), 3)
    assert live.turn(0) == (said("1", "something else"), 3)


def test_what_only_becomes_final_is_not_scored_again_and_rings() -> None:
    live, engine = live_one(), scorer()
    live.take(said("1", "hurry", is_final=False))
    assert not advanced(live, engine).alerts
    live.take(said("1", "hurry"))
    assert (live.pending, live.unscored) == (True, 0)
    (change,) = live.settle(live.score).alerts
    assert (change.state, change.alert.category) == (AlertState.RAISED, "pressure")
    assert live.told(0) == [change]


def test_a_revision_takes_its_alert_back_and_leaves_no_trace() -> None:
    live, engine = live_one(), scorer()
    live.take(said("1", "hurry"))
    live.take(said("2", "what", Role.CUSTOMER))
    advanced(live, engine)
    live.take(said("1", "no rush"), 1)
    settled = advanced(live, engine)
    assert [(change.state, change.turn) for change in settled.alerts] == [(AlertState.WITHDRAWN, 0)]
    assert not live.alerts
    clean = live_one()
    clean.take(said("1", "no rush"))
    clean.take(said("2", "what", Role.CUSTOMER))
    advanced(clean, engine)
    assert clean.score == live.score


def test_a_turn_that_is_refused_is_not_taken() -> None:
    live = live_one(Limits(max_turns=2, max_turn_characters=10, max_conversation_characters=15))
    live.take(said("1", "one, two, "))
    for bad in (said("2", " \u200b "), said("2", "x y " * 3), said("2", "no, no"), said("1", "ﷺ")):
        with pytest.raises(InvalidConversation):
            live.take(bad)
    live.take(said("2", "maybe"))
    with pytest.raises(LimitExceeded, match="limit"):
        live.take(said("3", "x"))
    assert [turn.id for turn in live.turns] == ["1", "2"]
    live.take(said("1", "x"))
    assert advanced(live, scorer()).said == (0, 1)


def test_a_failed_score_leaves_the_turns_in_their_places() -> None:
    live, engine = live_one(), scorer()
    live.take(said("1", "hurry"))
    live.request()
    live.take(said("2", "free"))
    assert live.pending
    assert advanced(live, engine).said == (0, 1)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_idle_conversations_are_let_go_of_and_remembered() -> None:
    clock = Clock()
    held = OpenConversations(Limits(live_idle_s=10), clock)
    one = held.open(live_one(), "t", "1")
    held.open(live_one(), "t", "2")
    clock.now = 9
    held.touch(one)
    clock.now = 11
    assert held.get("t", "2") is None
    assert held.get("t", "1") is one
    assert held.was_let_go("t", "2")
    assert not held.was_let_go("u", "2")
    clock.now = 30
    with held.in_use(one):
        assert held.expire() == 0
    clock.now = 50
    assert held.expire() == 1
    assert one.gone
    assert (len(held), held.nbytes) == (0, 0)
    held.open(live_one(), "t", "1")
    assert not held.was_let_go("t", "1")


def test_a_tenant_takes_room_from_itself_alone() -> None:
    held = OpenConversations(Limits(max_live_conversations=2))
    other = held.open(live_one(), "u", "1")
    first, second = (held.open(live_one(), "t", id_) for id_ in "12")
    third = held.open(live_one(), "t", "3")
    assert first.gone
    assert not other.gone
    with held.in_use(second), held.in_use(third), pytest.raises(Overloaded):
        held.open(live_one(), "t", "4")
    assert held.get("u", "2") is None
    again = held.open(live_one(), "u", "1")
    assert other.gone
    assert held.get("u", "1") is again


def test_bytes_are_bounded() -> None:
    held = OpenConversations(Limits(max_live_bytes=100_000))
    small, large = (held.open(live_one(), "t", id_) for id_ in ("small", "large"))
    with held.in_use(large):
        for number in range(30):
            large.conversation.take(said(str(number), "x" * 100))
            held.touch(large)
        assert small.gone
        assert not large.gone
        with pytest.raises(Overloaded):
            held.check_room()
    assert large.gone
    held.check_room()
    assert held.nbytes == 0


def seconds_a_turn(turns: int, engine: Scorer, timed: int = 20) -> float:
    """Of each of the turns that follow after so many; the least, since others use this machine, too."""
    live, mark = live_one(), time.monotonic_ns()
    text = "what do you need, it costs nothing more than you agree to and you may think about it"
    spent: list[float] = []
    for number in range(turns + timed):
        live.take(said(str(number), f"{text} {mark} {number}", (Role.AGENT, Role.CUSTOMER)[number % 2]))
        if number >= turns - 1:
            started = time.perf_counter()
            advanced(live, engine)
            spent.append(time.perf_counter() - started)
    return sorted(spent[1:])[timed // 4]


def test_a_turn_costs_much_the_same_however_long_the_call_is() -> None:
    engine = scorer(1 << 28)
    # Copies of lists grow with the call, by a fraction of a millisecond; anything done anew for each turn, by many.
    assert seconds_a_turn(1000, engine) < 2 * seconds_a_turn(10, engine) + 0.001

"""How turns add up: monotone, bounded, and silent where there is nothing to score."""

from hypothesis import given
from hypothesis import strategies as st

from app.core.conversation import Role
from app.core.labels import MIS_SELLING, PRACTICE, names
from app.core.scores import add_up
from app.core.tally import risk_features, tally
from app.core.turn_scores import TurnScore
from app.model.stub import stub_calibration

PROBABILITIES = st.floats(0, 1)


def agent_turn(index: int, risk: float) -> TurnScore:
    return TurnScore(
        index,
        Role.AGENT,
        risk=risk,
        categories=dict.fromkeys(names(MIS_SELLING), risk),
        empathy={"emotional_reaction": 0.0, "interpretation": 0.5, "exploration": 1.0, "dismissive": 0.0},
        practice=dict.fromkeys(names(PRACTICE), 0.1),
    )


@given(st.lists(PROBABILITIES, min_size=1, max_size=12), st.data())
def test_more_risk_in_a_turn_never_means_less_in_the_whole(risks: list[float], data: st.DataObject) -> None:
    raised = list(risks)
    place = data.draw(st.integers(0, len(risks) - 1))
    raised[place] = data.draw(st.floats(risks[place], 1))
    before = risk_features(tally([agent_turn(i, risk) for i, risk in enumerate(risks)]))
    after = risk_features(tally([agent_turn(i, risk) for i, risk in enumerate(raised)]))
    assert all(after[name] >= before[name] - 1e-9 for name in before)


@given(st.lists(PROBABILITIES, min_size=1, max_size=8), st.integers(1, 200))
def test_harmless_turns_never_lower_the_risk(risks: list[float], harmless: int) -> None:
    alone = [agent_turn(i, risk) for i, risk in enumerate(risks)]
    diluted = alone + [agent_turn(len(alone) + i, 0.01) for i in range(harmless)]
    before, after = (add_up(turns, tally(turns), stub_calibration(), 0).risk for turns in (alone, diluted))
    assert before is not None
    assert after is not None
    assert after >= before


def test_a_long_harmless_call_does_not_add_up_to_an_alarm() -> None:
    short = risk_features(tally([agent_turn(0, 0.05)]))
    long = risk_features(tally([agent_turn(i, 0.05) for i in range(1000)]))
    assert long["excess"] == short["excess"] == 0


def test_without_an_agent_there_is_no_score_but_a_reason() -> None:
    signals = dict.fromkeys(("need", "reluctance", "confusion", "vulnerability", "dissatisfaction"), 0.5)
    turns = [TurnScore(0, Role.CUSTOMER, signals=signals)]
    score = add_up(turns, tally(turns), stub_calibration(), 3)
    assert score.risk is None
    assert score.band is None
    assert score.empathy_score is None
    assert {(item.of, item.code) for item in score.abstained} == {
        ("mis_selling", "no_agent_turns"),
        ("empathy", "no_agent_turns"),
        ("practice", "no_agent_turns"),
    }
    assert set(score.signals) == {"need", "reluctance", "confusion", "vulnerability", "dissatisfaction"}


def test_without_a_customer_signals_abstain() -> None:
    turns = [agent_turn(0, 0.9)]
    score = add_up(turns, tally(turns), stub_calibration(), 3)
    assert score.signals == {}
    assert [(item.of, item.code) for item in score.abstained] == [("signals", "no_customer_turns")]

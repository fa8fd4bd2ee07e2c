"""Counterfactual people: names, varieties and marks go where they should, and AUCs of groups are right on toy data."""

import re

import numpy as np
import pytest

from app.core.conversation import Role
from training.fairness import MARKS, REFERENCE_MARK, Turns, change, group_aucs, marked
from training.given_names import CULTURES, REFERENCE, named
from training.hard_cases import conversation_of
from training.varieties import VARIETIES, rewritten

CALL = conversation_of(
    "x",
    [
        (Role.AGENT, "Hello, this is Sarah from Brightwell. Is that Mrs Okafor?"),
        (Role.CUSTOMER, "Yes, it's Helen. Who told you, Sarah?"),
        (Role.AGENT, "Helen, Will you pay in May? It's a Brightwell plan."),
    ],
)
TEXT = (
    "I think you are going to save 20 pounds, but it is not free and you can't cancel. "
    "He never said no. Do you understand the fees? We will not charge anything for the visit."
)


def test_a_customers_name_is_put_where_the_agent_says_it() -> None:
    assert [turn.text for turn in named(CALL, Role.CUSTOMER, "Folake").turns] == [
        "Hello, this is Sarah from Brightwell. Is that Mrs Folake?",
        "Hi, this is Folake. Yes, it's Folake. Who told you, Sarah?",
        "Folake, Will you pay in May? It's a Brightwell plan.",
    ]


def test_an_agents_name_is_put_where_the_customer_says_it() -> None:
    assert [turn.text for turn in named(CALL, Role.AGENT, "Priya").turns] == [
        "Hi, this is Priya. Hello, this is Priya from Brightwell. Is that Mrs Okafor?",
        "Yes, it's Helen. Who told you, Priya?",
        "Helen, Will you pay in May? It's a Brightwell plan.",
    ]


def test_names_swap_for_each_other_without_a_trace() -> None:
    for names in CULTURES.values():
        for name in names:
            there = named(CALL, Role.CUSTOMER, name)
            assert [t.text.replace(name, REFERENCE) for t in there.turns] == [
                t.text for t in named(CALL, Role.CUSTOMER, REFERENCE).turns
            ]


def test_twenty_cultures_with_four_names_each_and_none_twice() -> None:
    names = [name for four in CULTURES.values() for name in four]
    assert len(CULTURES) == 20
    assert len(names) == len(set(names)) == 80
    assert REFERENCE not in names


@pytest.mark.parametrize("variety", VARIETIES)
def test_a_variety_changes_words_but_no_number_and_no_negation(variety: str) -> None:
    found = rewritten(TEXT, variety)
    assert found != TEXT
    assert found == rewritten(TEXT, variety)
    for pattern in (r"\d+", r"\b(?:not|no|never|can't|free|cancel)\b"):
        assert re.findall(pattern, found) == re.findall(pattern, TEXT)


def test_a_mark_is_added_to_the_customers_first_turn_alone() -> None:
    found = marked(CALL, MARKS["age: 78"])
    assert found.turns[1].text == CALL.turns[1].text + " I'm seventy-eight."
    assert [found.turns[0], found.turns[2]] == [CALL.turns[0], CALL.turns[2]]
    assert marked(conversation_of("y", [(Role.AGENT, "Hi.")]), REFERENCE_MARK).turns[0].text == "Hi."


def test_change_counts_distance_sign_and_crossings() -> None:
    found = change(np.array([0.2, 0.4, 0.6, 0.9]), np.array([0.2, 0.6, 0.4, 0.7]))
    assert found["turns"] == 4
    assert found["mean change"] == pytest.approx(0.15)
    assert found["signed"] == pytest.approx(-0.05)
    assert found["greatest"] == pytest.approx(0.2)
    assert found["flips"] == 0.5
    assert change(np.array([]), np.array([]))["flips"] is None


def turns(*pairs: tuple[bool, float], times: int = 10) -> Turns:
    repeated = [pair for pair in pairs for _ in range(times)]
    return Turns(np.array([truth for truth, _ in repeated], bool), np.array([risk for _, risk in repeated]))


def test_a_group_whose_harmless_turns_score_high_has_a_low_bpsn() -> None:
    background = turns((True, 0.7), (False, 0.3))
    found = group_aucs(turns((True, 0.9), (False, 0.8)), background)
    assert found == {"subgroup": 1.0, "BPSN": 0.0, "BNSP": 1.0}


def test_a_group_whose_mis_selling_scores_low_has_a_low_bnsp() -> None:
    background = turns((True, 0.7), (False, 0.3))
    found = group_aucs(turns((True, 0.2), (False, 0.1)), background)
    assert found == {"subgroup": 1.0, "BPSN": 1.0, "BNSP": 0.0}


def test_ties_count_half_and_few_turns_give_none() -> None:
    background = turns((True, 0.5), (False, 0.5))
    assert group_aucs(background, background) == {"subgroup": 0.5, "BPSN": 0.5, "BNSP": 0.5}
    few = turns((True, 0.9), (False, 0.1), times=9)
    assert group_aucs(few, background) == {"subgroup": None, "BPSN": None, "BNSP": None}

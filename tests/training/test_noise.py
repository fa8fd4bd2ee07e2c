"""Recognition noise: as much as asked for, of the kinds asked for, where asked for."""

import random

import pytest

from app.core.conversation import Role
from app.core.labels import MIS_SELLING
from app.core.turn_scores import TurnScore
from training.corpus import LabelledConversation, LabelledTurn
from training.hard_cases import conversation_of
from training.noise import (
    LOST,
    NOISES,
    REPLACED,
    SOUND_ALIKES,
    heard,
    is_claim,
    is_negation,
    is_number,
    macro_average_precision,
)
from training.rescoring import with_texts

TEXT = "It's guaranteed, you can't lose: pay $49.99 for twenty-four months and never a penny more, no fees."
WORDS = " ".join(f"w{index}x" for index in range(20_000))


@pytest.mark.parametrize("rate", [0.1, 0.2])
def test_word_errors_are_as_many_and_of_the_kinds_asked_for(rate: float) -> None:
    found = heard(WORDS, random.Random(1), rate).split()
    said = set(WORDS.split())
    kept = [word for word in found if word in said]
    strangers = len(found) - len(kept)
    missing = len(said) - len(kept)
    lost_and_replaced = rate * (REPLACED + LOST)
    replaced_and_put_in = rate * (1 - LOST)
    assert missing / len(said) == pytest.approx(lost_and_replaced, abs=0.01)
    assert strangers / len(said) == pytest.approx(replaced_and_put_in, abs=0.01)


def test_the_same_seed_hears_the_same_and_no_rate_changes_nothing() -> None:
    assert heard(TEXT, random.Random(2), 0.5) == heard(TEXT, random.Random(2), 0.5)
    assert heard(TEXT, random.Random(2), 0.0) == TEXT


@pytest.mark.parametrize(
    ("hits", "gone"),
    [
        (is_number, {"$49.99", "twenty-four"}),
        (is_negation, {"can't", "never", "no"}),
        (is_claim, {"guaranteed,", "never"}),
    ],
)
def test_noise_on_some_words_leaves_all_others(hits, gone: set[str]) -> None:
    for seed in range(20):
        found = heard(TEXT, random.Random(seed), 1.0, hits).split()
        assert [word for word in TEXT.split() if word not in gone and word not in found] == []
    assert heard("Nothing of the kind here", random.Random(0), 1.0, is_number) == "Nothing of the kind here"


def test_a_word_becomes_another_one_that_is_not_itself() -> None:
    for word, others in SOUND_ALIKES.items():
        assert others
        assert word not in [other.lower() for other in others]


def test_a_turn_of_which_no_word_is_left_keeps_its_words() -> None:
    conversation = conversation_of("x", [(Role.AGENT, "No."), (Role.CUSTOMER, "Yes.")])
    assert [turn.text for turn in with_texts(conversation, ["  ", "Oh."]).turns] == ["No.", "Oh."]


def test_targets_stand_on_noise_over_all_words_only() -> None:
    assert [noise.most_loss for noise in NOISES] == [0.02, 0.05, None, None, None]


def _scored(shown: bool, probability: float) -> tuple[LabelledTurn, TurnScore]:
    turn = LabelledTurn(Role.AGENT, "x", frozenset({"pressure"} if shown else ()), ())
    return turn, TurnScore(
        0, Role.AGENT, risk=probability, categories={label.name: probability for label in MIS_SELLING}
    )


def test_macro_average_precision_on_toy_data() -> None:
    class Scored:
        def __init__(self, turns: tuple[TurnScore, ...]) -> None:
            self.turns = turns

    pairs = [_scored(True, 0.9)] * 5 + [_scored(False, 0.8)] * 5 + [_scored(True, 0.7)] * 5
    shell = conversation_of("x", [])
    conversation = LabelledConversation(
        shell.id, shell.sector, shell.region, shell.channel, 0, 0, tuple(turn for turn, _ in pairs)
    )
    scores = [Scored(tuple(score for _, score in pairs))]
    # Half the positives come at precision 1, the others once ten of fifteen are positive; no other label has any.
    assert macro_average_precision([conversation], scores, MIS_SELLING) == pytest.approx((1 + 10 / 15) / 2)
    assert macro_average_precision([conversation], scores, MIS_SELLING[:1]) is None

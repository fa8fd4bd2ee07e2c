"""The committed guess of who is the agent holds on conversations that it was not fitted on."""

import pytest

from app.core.conversation import Role
from app.transcripts.guess import features, guess
from training import corpus, roles, splits


def test_roles_are_guessed_on_the_test_split_with_labels_shuffled() -> None:
    found = roles.measure(splits.read(corpus.load())["test"])
    assert found["conversations"] > 400
    assert found["right"] >= 0.97
    assert found["abstained"] <= 0.05


def test_a_speaker_who_says_nothing_to_go_by_is_no_sure_guess() -> None:
    assert guess({}) == {}
    for role, confidence in guess({"A": ["hm"], "B": ["hm"]}).values():
        assert role in (Role.AGENT, Role.CUSTOMER)
        assert confidence == pytest.approx(0.5)


def test_what_is_said_is_bounded_and_of_length_one() -> None:
    long = features(["word and other words " * 100_000])
    assert sum(value * value for value in long.values()) == pytest.approx(1)
    assert features([]) == features(["", "…"]) == {}

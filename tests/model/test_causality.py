"""A turn scores the same whatever comes after it, on every engine, and both engines agree."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.build import classifier_of
from app.core.conversation import Conversation, Role, Turn
from app.core.turn_scores import TurnScore
from app.engine.scorer import Scorer
from app.model.release import Release, newest_release, open_release
from app.settings import MODELS

TOLERANCE = 1e-6
WORDS = (
    "the price is guaranteed for life and there is no fee at all if you sign today",
    "I am sorry to hear about your husband what would you like to know about cancelling within fourteen days",
    "after the first year it goes up nine pounds no thanks I have already put the cover on your account",
    "what do you mean I lost my job in march",
)
_OPENING = (
    Turn("agent", Role.AGENT, "hello how can I help you today"),
    Turn("customer", Role.CUSTOMER, "I want to ask about my bill"),
)


@pytest.fixture(scope="module")
def release() -> Release:
    return open_release(newest_release(MODELS))


@pytest.fixture(scope="module", params=["onnx", "torch"])
def scorer(request: pytest.FixtureRequest, release: Release) -> Scorer:
    if request.param == "torch":
        pytest.importorskip("torch", reason="the reference engine needs torch")
    return Scorer(classifier_of(release, request.param), release.calibration)


def conversation(seed: int, turns: int, longest_words: int) -> Conversation:
    rng = random.Random(seed)
    return Conversation(
        tuple(
            Turn(
                str(index),
                rng.choice([Role.AGENT, Role.CUSTOMER, Role.AGENT, Role.CUSTOMER, Role.BOT]),
                " ".join(rng.choices(" ".join(WORDS).split(), k=rng.randint(1, longest_words))),
            )
            for index in range(turns)
        )
    )


def difference(left: TurnScore, right: TurnScore) -> float:
    assert left.role is right.role
    pairs = [(left.risk or 0.0, right.risk or 0.0)]
    for group in ("categories", "empathy", "practice", "signals"):
        ours, theirs = getattr(left, group), getattr(right, group)
        assert set(ours) == set(theirs)
        pairs += [(ours[name], theirs[name]) for name in ours]
    return max(abs(a - b) for a, b in pairs)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), turns=st.integers(2, 24), longest_words=st.sampled_from([6, 40, 300]))
def test_a_turn_scores_the_same_alone_as_last_and_inside_the_whole(
    scorer: Scorer, seed: int, turns: int, longest_words: int
) -> None:
    whole = conversation(seed, turns, longest_words)
    scores = scorer.score(Conversation((*_OPENING, *whole.turns)), evidence=False).turns
    for last in sorted({0, turns // 2, turns - 2}):
        # Of a side that has said a word or two there is no score yet; see app.core.legibility.
        until = Conversation((*_OPENING, *whole.turns[: last + 1]))
        assert difference(scorer.score(until, evidence=False).turns[-1], scores[last + len(_OPENING)]) <= TOLERANCE


def test_what_came_before_does_matter(scorer: Scorer) -> None:
    reply = Turn("1", Role.AGENT, "Fine, I will put it on your account then.")
    scores = [
        scorer.score(Conversation((Turn("0", Role.CUSTOMER, said), reply))).turns[1].risk or 0.0
        for said in ("No. I said no. Take it off my account, I do not want it.", "Yes please, I agree, add it.")
    ]
    assert scores[0] > scores[1]


def test_both_engines_agree(release: Release) -> None:
    pytest.importorskip("torch", reason="the reference engine needs torch")
    onnx, torch = (Scorer(classifier_of(release, engine), release.calibration) for engine in ("onnx", "torch"))
    for seed in range(4):
        talk = conversation(seed, 12, 60)
        ours, theirs = onnx.score(talk), torch.score(talk)
        assert ours.risk == pytest.approx(theirs.risk, abs=1e-4)
        for left, right in zip(ours.turns, theirs.turns, strict=True):
            assert difference(left, right) <= 1e-4
            assert [(e.label, e.start, e.end) for e in left.evidence] == [
                (e.label, e.start, e.end) for e in right.evidence
            ]

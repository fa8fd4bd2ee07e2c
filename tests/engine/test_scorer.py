"""The pipeline: what it refuses, what it does with long turns, and that an engine's failure is named."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.classifier import Encoded, Memory, Output, Window
from app.core.conversation import Conversation, Role, Turn
from app.core.errors import DeadlineExceeded, InvalidConversation, LimitExceeded, ModelFailed
from app.engine.limits import Limits
from app.engine.scorer import Scorer
from app.model.stub import StubClassifier, stub_calibration


def scorer(limits: Limits | None = None) -> Scorer:
    return Scorer(StubClassifier(), stub_calibration(), limits)


def said(*texts: str, role: Role = Role.AGENT) -> Conversation:
    return Conversation(tuple(Turn(str(index), role, text) for index, text in enumerate(texts)))


def test_known_words_are_found_with_their_evidence() -> None:
    (turn,) = scorer().score(said("It is gua\u200branteed, hurry!")).turns
    assert turn.categories["exaggeration"] > 0.9
    assert turn.categories["pressure"] > 0.9
    assert turn.categories["omission"] < 0.1
    assert [(item.label, item.start, item.end) for item in turn.evidence] == [
        ("exaggeration", 6, 17),
        ("pressure", 19, 24),
    ]


def test_without_evidence_the_scores_are_the_same() -> None:
    talk = said("It is guaranteed.")
    (with_evidence,), (without,) = scorer().score(talk).turns, scorer().score(talk, evidence=False).turns
    assert without.evidence == ()
    assert without.categories == with_evidence.categories


def test_a_bot_is_no_agent() -> None:
    score = scorer().score(said("It is guaranteed.", role=Role.BOT))
    assert score.risk is None
    assert score.turns[0].categories == {}


@pytest.mark.parametrize("place", [0, 700, 1900])
def test_a_risky_word_anywhere_in_a_long_turn_counts(place: int) -> None:
    words = ["word"] * 2000
    words[place] = "guaranteed"
    text = " ".join(words)
    (turn,) = scorer().score(said(text)).turns
    assert turn.categories["exaggeration"] > 0.9
    assert [text[item.start : item.end] for item in turn.evidence] == ["guaranteed"]


def test_tokens_are_counted_once_each() -> None:
    assert scorer().score(said("one two", "three")).tokens == 2 + 1 + 2


@pytest.mark.parametrize(
    ("conversation", "error", "turn"),
    [
        (Conversation(()), InvalidConversation, None),
        (said("hello", " \u200b\u00ad"), InvalidConversation, 1),
        (said("x" * 101), LimitExceeded, 0),
        (said("ok", "\ufdfa" * 20), LimitExceeded, 1),
        (said(*["y" * 90] * 4), LimitExceeded, None),
        (said(*["z"] * 11), LimitExceeded, None),
    ],
)
def test_what_cannot_be_scored_is_refused_with_its_place(
    conversation: Conversation, error: type[InvalidConversation], turn: int | None
) -> None:
    limits = Limits(max_turns=10, max_turn_characters=100, max_conversation_characters=300)
    with pytest.raises(error) as caught:
        scorer(limits).score(conversation)
    assert caught.value.turn == turn


class Failing(StubClassifier):
    """Raises with the words it was given, or answers with what is no number in one piece."""

    def __init__(self, not_finite_in: int | None) -> None:
        self._not_finite_in = not_finite_in

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        self._seen = texts
        return super().encode(texts)

    def forward(self, window: Window, memory: Memory | None = None) -> Output:
        if self._not_finite_in is None:
            raise ValueError(f"cannot read {self._seen}")
        output = super().forward(window, memory)
        pieces = [list(logits) for logits in output.piece_logits]
        pieces[self._not_finite_in][0] = float("nan")
        return Output(pieces, output.token_logits, output.memory)


@pytest.mark.parametrize("not_finite_in", [None, 0, 1])
def test_a_failing_engine_is_named_without_its_words(not_finite_in: int | None) -> None:
    failing = Scorer(Failing(not_finite_in), stub_calibration())
    with pytest.raises(ModelFailed) as caught:
        failing.score(said("canary " * 300))
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_cancelled_work_stops_between_windows() -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    with pytest.raises(DeadlineExceeded):
        scorer().score(said(*["word " * 200] * 10), cancelled=cancelled)
    assert asked == 3


@given(st.lists(st.tuples(st.sampled_from(list(Role)), st.text(min_size=1, max_size=60)), min_size=1, max_size=12))
def test_any_text_gives_a_score_or_a_named_refusal(turns: list[tuple[Role, str]]) -> None:
    conversation = Conversation(tuple(Turn(str(i), role, text) for i, (role, text) in enumerate(turns)))
    try:
        score = scorer().score(conversation)
    except InvalidConversation:
        return
    assert [turn.role for turn in score.turns] == [role for role, _ in turns]
    for scored, (_, text) in zip(score.turns, turns, strict=True):
        for item in scored.evidence:
            assert text[item.start : item.end].strip()


FRENCH = "Bonjour madame, je vous appelle pour votre contrat, vous avez un moment avec nous ?"


@pytest.mark.parametrize(
    ("text", "code"),
    [(FRENCH, "language_not_english"), ("[NAME] [DATE] #### ok", "text_too_damaged")],
)
def test_a_side_that_cannot_be_judged_loses_its_scores_and_the_other_keeps_its_own(text: str, code: str) -> None:
    agent, customer = Turn("0", Role.AGENT, "It is guaranteed, hurry!"), Turn("1", Role.CUSTOMER, "I need it now")
    whole = scorer().score(Conversation((agent, customer)))
    without_customer = scorer().score(Conversation((agent, Turn("1", Role.CUSTOMER, text))))
    assert [(item.of, item.code) for item in without_customer.abstained] == [("signals", code)]
    assert (without_customer.signals, without_customer.turns[1].signals) == ({}, {})
    assert without_customer.turns[0] == whole.turns[0]
    assert without_customer.risk == whole.risk

    without_agent = scorer().score(Conversation((Turn("0", Role.AGENT, text), customer)))
    assert [(item.of, item.code) for item in without_agent.abstained] == [
        (of, code) for of in ("mis_selling", "empathy", "practice")
    ]
    assert without_agent.risk is without_agent.band is without_agent.empathy_score is None
    assert without_agent.turns[0].risk is None
    assert without_agent.turns[0].evidence == ()
    assert without_agent.signals == whole.signals


def test_a_live_call_gets_its_scores_as_soon_as_enough_is_said() -> None:
    first = scorer().score(said("Hi"))
    later = scorer().score(said("Hi", "it is guaranteed"))
    # What was scored live has the same score in the whole.
    assert first.turns[0] == later.turns[0]
    assert {item.code for item in first.abstained if item.of != "signals"} == {"too_little_said"}
    assert later.risk is not None
    assert all(turn.risk is not None for turn in later.turns)

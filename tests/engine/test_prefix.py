"""What was scored before stays as it is, costs nothing again, and belongs to its scope alone."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.classifier import TURN_OUTPUTS, Memory, Output, Window
from app.core.conversation import Conversation, Role, Turn
from app.core.errors import ModelFailed
from app.core.labels import EVIDENCE_LABELS
from app.engine.cache import PrefixCache
from app.engine.prefix import keys_of
from app.engine.scorer import Scorer
from app.model.replay import joined
from app.model.stub import StubClassifier, stub_calibration

MEGABYTE = 1 << 20


class Listening(StubClassifier):
    """Its logits hang on every token before them in the window, and on nothing after; counts what it reads."""

    def __init__(self) -> None:
        self.tokens = 0
        self.broken = False

    def forward(self, window: Window, memory: Memory | None = None) -> Output:
        if self.broken:
            raise RuntimeError
        self.tokens += len(window.token_ids)
        read = joined(window, memory)
        heard, pieces = 0, {}
        for token, piece in zip(read.window.token_ids, read.window.piece_of_token, strict=True):
            heard = zlib.crc32(str(token).encode(), heard)
            pieces[piece] = heard
        logits = [
            [(heard >> shift) % 1000 / 100 - 5 for shift in range(len(TURN_OUTPUTS))] for heard in pieces.values()
        ]
        tokens = [[0.0] * len(EVIDENCE_LABELS)] * len(window.token_ids)
        return Output(logits[-(window.piece_of_token[-1] + 1) :], tokens, read)


def listening(max_bytes: int = MEGABYTE) -> tuple[Scorer, Listening, PrefixCache]:
    classifier, cache = Listening(), PrefixCache(max_bytes)
    return Scorer(classifier, stub_calibration(), cache=cache), classifier, cache


def talk(words: Sequence[int], first: int = 0) -> list[Turn]:
    """A turn for each number of words, said by turns, each with words of its own."""
    roles = (Role.AGENT, Role.CUSTOMER, Role.BOT)
    return [
        Turn(str(first + i), roles[(first + i) % 3], " ".join(f"w{first + i}x{n % 7}" for n in range(count)))
        for i, count in enumerate(words)
    ]


def whole(*turns: Turn) -> Conversation:
    return Conversation(tuple(turns))


WORDS = st.lists(st.integers(1, 300), min_size=1, max_size=30)
CHANGES = st.lists(st.tuples(st.integers(0, 30), WORDS), min_size=1, max_size=6)


@given(CHANGES, st.sampled_from([0, 20_000, MEGABYTE]))
def test_however_it_grows_and_is_revised_a_conversation_scores_as_if_sent_once(
    changes: list[tuple[int, list[int]]], max_bytes: int
) -> None:
    remembering, _, cache = listening(max_bytes)
    turns: list[Turn] = []
    for number, (kept, words) in enumerate(changes):
        turns = turns[:kept] + talk(words, first=1000 * number)
        fresh, _, _ = listening(0)
        assert remembering.score(whole(*turns), scope="") == fresh.score(whole(*turns))
        assert 0 <= cache.nbytes <= max_bytes


def test_a_growing_conversation_costs_little_more_than_once() -> None:
    turns = talk([25] * 100)
    once, once_reads, _ = listening(0)
    once.score(whole(*turns))
    growing, reads, _ = listening()
    for count in range(1, 101):
        growing.score(whole(*turns[:count]), scope="")
    # Each token once, and the context of each window once, as in one scoring.
    assert reads.tokens == once_reads.tokens


def test_what_is_known_is_not_read_at_all() -> None:
    scorer, reads, _ = listening()
    turns = talk([25] * 40)
    scorer.score(whole(*turns), scope="")
    before = reads.tokens
    for count in (40, 39, 12, 1):
        assert scorer.score(whole(*turns[:count]), scope="").turns == listening(0)[0].score(whole(*turns[:count])).turns
    assert reads.tokens == before


def test_a_recognition_that_changes_costs_only_itself() -> None:
    scorer, reads, _ = listening()
    turns = talk([25] * 10)
    for count in (9, 10):
        scorer.score(whole(*turns[:count]), scope="")
    before = reads.tokens
    for number in range(5):
        scorer.score(whole(*turns[:-1], *talk([20], first=9 + 100 * number)), scope="")
    assert reads.tokens - before == 5 * 21


def test_calls_that_open_alike_do_not_push_each_other_out() -> None:
    scorer, reads, _ = listening()
    greeting = talk([30] * 4)
    calls = [[*greeting, *talk([30] * 6, first=100 * (1 + number))] for number in range(5)]
    for call in calls:
        scorer.score(whole(*call), scope="")
    before = reads.tokens
    for call in calls:
        scorer.score(whole(*call), scope="")
    assert reads.tokens == before


def test_scopes_share_nothing() -> None:
    scorer, reads, _ = listening()
    turns = talk([25] * 10)
    scorer.score(whole(*turns), scope="one")
    cost = reads.tokens
    scorer.score(whole(*turns), scope="two")
    assert reads.tokens == 2 * cost
    assert not set(keys_of(turns, "one")) & set(keys_of(turns, "two"))


def test_role_and_words_make_the_key_and_nothing_else() -> None:
    turn = Turn("1", Role.AGENT, "hello", speaker="Sam", start_ms=5)
    same, other = Turn("2", Role.AGENT, "hello"), Turn("1", Role.CUSTOMER, "hello")
    assert keys_of([turn], "") == keys_of([same], "") != keys_of([other], "")


def test_under_pressure_the_windows_memory_goes_before_the_scores() -> None:
    scorer, reads, cache = listening(135_000)
    turns = talk([25] * 10)
    scorer.score(whole(*turns), scope="")
    full = reads.tokens
    for number in range(1, 12):
        scorer.score(whole(*talk([25], first=1000 * number)), scope="")
    assert cache.nbytes <= 135_000
    before = reads.tokens
    scorer.score(whole(*turns), scope="")
    assert reads.tokens == before, "the scores were dropped, too"
    scorer.score(whole(*turns, *talk([25], first=10)), scope="")
    assert full / 10 < reads.tokens - before <= full + 60


@pytest.mark.parametrize("known", [0, 3])
def test_a_failure_leaves_nothing_half_done(known: int) -> None:
    scorer, classifier, _ = listening()
    turns = talk([25] * 30)
    if known:
        scorer.score(whole(*turns[:known]), scope="")
    classifier.broken = True
    with pytest.raises(ModelFailed):
        scorer.score(whole(*turns), scope="")
    classifier.broken = False
    assert scorer.score(whole(*turns), scope="") == listening(0)[0].score(whole(*turns))


def test_reading_ahead_takes_the_cost_of_a_new_window_from_the_next_turn() -> None:
    scorer, reads, _ = listening()
    turns = talk([25] * 60)
    dearest = 0
    for count in range(1, 61):
        before = reads.tokens
        score = scorer.score(whole(*turns[:count]), scope="")
        dearest = max(dearest, reads.tokens - before)
        assert score == listening(0)[0].score(whole(*turns[:count]))
        scorer.prepare(whole(*turns[:count]), scope="")
    assert dearest == 26


def test_what_was_read_ahead_is_of_no_use_to_a_turn_that_was_revised() -> None:
    scorer, _, _ = listening()
    turns = talk([25] * 14)
    scorer.score(whole(*turns), scope="")
    scorer.prepare(whole(*turns), scope="")
    other = [*turns[:-1], *talk([30, 30], first=100)]
    assert scorer.score(whole(*other), scope="") == listening(0)[0].score(whole(*other))

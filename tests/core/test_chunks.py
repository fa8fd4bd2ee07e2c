"""Chunks cover each piece once, keep to their budgets, and never look ahead."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from app.core.chunks import CHUNK_TOKENS, CONTEXT_TOKENS, PIECE_TOKENS, piece_bounds, plan

LENGTHS = st.lists(st.integers(1, PIECE_TOKENS), max_size=60)


@given(LENGTHS)
def test_each_piece_is_fresh_exactly_once(lengths: list[int]) -> None:
    fresh = [piece for chunk in plan(lengths) for piece in range(chunk.first, chunk.last)]
    assert fresh == list(range(len(lengths)))


@given(LENGTHS)
def test_budgets_hold(lengths: list[int]) -> None:
    for chunk in plan(lengths):
        assert sum(lengths[chunk.first : chunk.last]) <= CHUNK_TOKENS
        assert sum(part.length for part in chunk.context) <= CONTEXT_TOKENS


@given(LENGTHS)
def test_context_is_what_was_said_just_before(lengths: list[int]) -> None:
    for chunk in plan(lengths):
        pieces = [part.piece for part in chunk.context]
        assert pieces == list(range(chunk.first - len(pieces), chunk.first))
        assert all(part.length == lengths[part.piece] for part in chunk.context[1:])
        assert all(1 <= part.length <= lengths[part.piece] for part in chunk.context)


@given(LENGTHS, LENGTHS)
def test_what_follows_does_not_move_an_earlier_cut(before: list[int], after: list[int]) -> None:
    def place(lengths: list[int], piece: int) -> tuple[int, tuple]:
        chunk = next(chunk for chunk in plan(lengths) if chunk.first <= piece < chunk.last)
        return chunk.first, chunk.context

    for piece in range(len(before)):
        assert place(before[: piece + 1], piece) == place(before + after, piece)


@given(st.integers(0, 5000))
def test_pieces_of_a_turn_join_up(token_count: int) -> None:
    bounds = piece_bounds(token_count)
    assert bounds[0][0] == 0
    assert bounds[-1][1] == token_count
    assert all(left[1] == right[0] for left, right in itertools.pairwise(bounds))
    assert all(end - start < PIECE_TOKENS for start, end in bounds)

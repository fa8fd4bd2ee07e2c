"""Which turns go through the encoder together.

A conversation is cut, greedily and from earlier turns only, into chunks of at most `CHUNK_TOKENS`
fresh tokens, each opened by up to `CONTEXT_TOKENS` tokens of what was said before. A turn longer
than `PIECE_TOKENS` is cut into pieces; the rest of the pipeline sees pieces. Since a token attends
to its own piece and to earlier ones only, and the cut never looks ahead, a turn's score does not
depend on what follows it. Lengths count the role token that opens each piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CHUNK_TOKENS = 384
CONTEXT_TOKENS = 128
PIECE_TOKENS = 256
# A tail shorter than this tells too little to be worth its place as context.
_SHORTEST_TAIL_TOKENS = 12


@dataclass(frozen=True, slots=True)
class Slice:
    """The last `length` tokens of piece `piece`, its role token counted and always kept."""

    piece: int
    length: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Context slices, oldest first, and then the fresh pieces `first` to `last` (exclusive), whole."""

    context: tuple[Slice, ...]
    first: int
    last: int


def piece_bounds(token_count: int) -> list[tuple[int, int]]:
    """Cut a turn of `token_count` tokens, without role token, into pieces: a list of (start, end)."""
    room = PIECE_TOKENS - 1
    return [(start, min(start + room, token_count)) for start in range(0, max(token_count, 1), room)]


def context(lengths: Sequence[int], first: int) -> tuple[Slice, ...]:
    """What opens a chunk whose first fresh piece is `first`: the last tokens said before it, oldest first."""
    slices: list[Slice] = []
    room = CONTEXT_TOKENS
    for piece in range(first - 1, -1, -1):
        length = min(lengths[piece], room)
        if length < lengths[piece] and length < _SHORTEST_TAIL_TOKENS:
            break
        slices.append(Slice(piece, length))
        room -= length
        if room <= 1:
            break
    return tuple(reversed(slices))


def opens_chunk(filled: int, length: int) -> bool:
    """Whether a piece of `length` tokens opens a chunk, after one with `filled` fresh tokens."""
    return filled == 0 or filled + length > CHUNK_TOKENS


def plan(lengths: Sequence[int]) -> list[Chunk]:
    """Chunks that cover each piece exactly once as fresh, in order.

    `lengths[i]` is the length of piece i in tokens, role token included, from 1 to `PIECE_TOKENS`.
    """
    firsts: list[int] = []
    filled = 0
    for piece, length in enumerate(lengths):
        if opens_chunk(filled, length):
            firsts.append(piece)
            filled = 0
        filled += length
    ends = [*firsts, len(lengths)][1:]
    return [Chunk(context(lengths, first), first, end) for first, end in zip(firsts, ends, strict=True)]

"""How much arithmetic a text costs the encoder, so that time can be held against what the cores can do."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.chunks import piece_bounds, plan

LAYERS, WIDTH, INNER = 6, 384, 1536


def forward_flops(tokens: int) -> float:
    """Matrix products of one forward pass, a multiplication and an addition counted as two."""
    products = 2 * tokens * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER)
    return float(LAYERS * (products + 4 * tokens * tokens * WIDTH))


def conversation_flops(lengths: Sequence[int]) -> float:
    """The same for the windows of a conversation; `lengths` are its turns' tokens, without role tokens."""
    pieces = [end - start + 1 for length in lengths for start, end in piece_bounds(length)]
    return sum(
        forward_flops(sum(item.length for item in chunk.context) + sum(pieces[chunk.first : chunk.last]))
        for chunk in plan(pieces)
    )

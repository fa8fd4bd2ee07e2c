"""The port between what a score is and what computes it.

An inference engine implements `Classifier`; nothing above it knows which. The outputs' order is
that of `app.core.labels`: a piece has `TURN_OUTPUTS` logits, a token `len(EVIDENCE_LABELS)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.core.conversation import Role
from app.core.labels import EMPATHY_DIMENSIONS, TURN_LABELS, names

ANY_MIS_SELLING = "any_mis_selling"

# One logit for each label, one for "any mis-selling", and for each dimension P(level >= 1), P(level >= 2).
TURN_OUTPUTS: tuple[str, ...] = (
    *names(TURN_LABELS),
    ANY_MIS_SELLING,
    *(f"{dimension.name}_{level}" for dimension in EMPATHY_DIMENSIONS for level in (1, 2)),
)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text as token ids, with each token's span of characters (start, end) in that text."""

    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """What one forward pass reads: tokens, and for each the ordinal of the piece it belongs to.

    Ordinals start at 0 and never fall; the first token of each piece is its role token.
    """

    token_ids: tuple[int, ...]
    piece_of_token: tuple[int, ...]


class Memory(Protocol):
    """What an engine keeps of the tokens that it has read, for later ones to attend to; opaque but for its size."""

    @property
    def tokens(self) -> int:
        """How many tokens it holds."""
        ...

    @property
    def nbytes(self) -> int:
        """How many bytes it occupies."""
        ...

    def upto(self, tokens: int) -> Memory:
        """The memory of the first `tokens` tokens; this one stays as it is."""
        ...


@dataclass(frozen=True, slots=True)
class Output:
    """Logits of a window: [pieces][TURN_OUTPUTS] and [tokens][EVIDENCE_LABELS].

    `memory` holds this window's tokens after those of the memory that it was run with.
    """

    piece_logits: Sequence[Sequence[float]]
    token_logits: Sequence[Sequence[float]]
    memory: Memory


class Classifier(Protocol):
    """An encoder with its heads. Implementations are safe to call from several threads."""

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokenise cleaned texts, without special tokens."""
        ...

    def role_token(self, role: Role) -> int:
        """The id of the token that opens a piece of this role."""
        ...

    def forward(self, window: Window, memory: Memory | None = None) -> Output:
        """One pass over one window. Raises what the engine raises; callers wrap it.

        With a memory the window goes on where the memory ends: its tokens attend to the memory's as to
        earlier pieces, and positions continue. The logits are those of one pass over both, to 1e-5.
        """
        ...

"""The memory of an engine that keeps no keys and values: the tokens themselves, read again with what follows."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.classifier import Memory, Window

# A Python integer in a tuple: its place and, for most ids, the object itself.
_BYTES_A_TOKEN = 2 * (8 + 28)


@dataclass(frozen=True, slots=True)
class Replay:
    """Tokens that were read, with the ordinals of their pieces."""

    window: Window

    @property
    def tokens(self) -> int:
        """How many tokens were read."""
        return len(self.window.token_ids)

    @property
    def nbytes(self) -> int:
        """An estimate of the bytes in use."""
        return self.tokens * _BYTES_A_TOKEN

    def upto(self, tokens: int) -> Replay:
        """What was read of the first `tokens` tokens."""
        return Replay(Window(self.window.token_ids[:tokens], self.window.piece_of_token[:tokens]))


def joined(window: Window, memory: Memory | None) -> Replay:
    """The memory after `window` was read, too.

    Raises:
        TypeError: if the memory is of another engine.
    """
    if memory is None:
        return Replay(window)
    if not isinstance(memory, Replay):
        raise TypeError(f"a memory of another engine: {type(memory).__name__}")
    read = memory.window
    if not read.token_ids:
        return Replay(window)
    first = read.piece_of_token[-1] + 1
    return Replay(
        Window(
            (*read.token_ids, *window.token_ids),
            (*read.piece_of_token, *(first + ordinal for ordinal in window.piece_of_token)),
        )
    )

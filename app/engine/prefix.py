"""A conversation as far as it was scored, so that what follows costs only itself.

Nothing in a score looks ahead, hence what was scored stays so while the conversation grows. A prefix
holds each turn's score, the tokens that later turns may attend to, and what the engine remembers of
the window that is still open. Prefixes are told apart by a key of all that was said in them and for whom.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from app.core.chunks import context, opens_chunk
from app.core.classifier import Memory, Window
from app.core.conversation import Conversation, Role, Turn
from app.core.legibility import Legibility
from app.core.tally import Tally
from app.core.turn_scores import TurnScore

KEY_BYTES = 16
# Measured with tracemalloc on calls of the corpus: scores, tally, keys; and a token's integer and place.
_BYTES_A_TURN = 5_000
_BYTES_A_TOKEN = 40


def root_key(scope: str) -> bytes:
    """The key of nothing said yet, in one scope; scopes never share a key."""
    return blake2b(scope.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def next_key(key: bytes, turn: Turn) -> bytes:
    """The key of what `key` stands for and one more turn; only what a score hangs on counts."""
    said = f"{turn.role}\0{turn.text}".encode("utf-8", "surrogatepass")
    return blake2b(said, key=key, digest_size=KEY_BYTES).digest()


def keys_of(turns: Iterable[Turn], scope: str) -> list[bytes]:
    """The key of each prefix, from one turn to all."""
    keys: list[bytes] = []
    key = root_key(scope)
    for turn in turns:
        key = next_key(key, turn)
        keys.append(key)
    return keys


@dataclass(frozen=True)
class KeyedConversation(Conversation):
    """A conversation whose keys in one scope are known, for whoever keeps them while it grows."""

    keys: tuple[bytes, ...] = ()
    scope: str = ""


def keys_in(conversation: Conversation, scope: str | None) -> Sequence[bytes]:
    """The key of each prefix of a conversation; made anew where it does not bring them."""
    if isinstance(conversation, KeyedConversation) and conversation.scope == scope:
        return conversation.keys
    return keys_of(conversation.turns, scope or "")


@dataclass(frozen=True, slots=True)
class Step:
    """One scored turn and the state after it; `pieces` and `characters` count all turns so far."""

    key: bytes
    score: TurnScore
    folded: str
    tally: Tally
    pieces: int
    characters: int
    tokens: int


@dataclass(slots=True)
class ScoredPrefix:
    """Scored turns, their pieces as tokens, and the engine's memory of the open window.

    `firsts[i]` is the first fresh piece of the window of piece i. `memory`, if there is one, holds the last
    window's context and all its pieces; without it they are read again before the next turn. `ahead`, if there
    is one, is the memory of the context of a next window that the next piece would open.
    """

    steps: list[Step] = field(default_factory=list)
    pieces: list[tuple[int, ...]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    firsts: list[int] = field(default_factory=list)
    sides: dict[Role, Legibility] = field(
        default_factory=lambda: {Role.AGENT: Legibility(), Role.CUSTOMER: Legibility()}
    )
    memory: Memory | None = None
    ahead: Memory | None = None

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes, the engine's memory included."""
        tokens = self.steps[-1].tokens if self.steps else 0
        memory = sum(memory.nbytes for memory in (self.memory, self.ahead) if memory is not None)
        return memory + len(self.steps) * _BYTES_A_TURN + tokens * _BYTES_A_TOKEN

    def upto(self, turns: int) -> ScoredPrefix:
        """A copy of the first `turns` turns, which grows on its own."""
        kept = self.steps[:turns]
        pieces = kept[-1].pieces if kept else 0
        sides = {role: side.copy() for role, side in self.sides.items()}
        for step in self.steps[turns:]:
            if step.score.role in sides:
                sides[step.score.role].add(step.folded, -1)
        memory, ahead = self.memory, self.ahead
        if pieces < len(self.pieces):
            ahead = None
            # Of an earlier window nothing is remembered.
            still_open = pieces > self.firsts[-1]
            memory = memory.upto(self._place(pieces)) if memory is not None and still_open else None
        return replace(
            self,
            steps=kept,
            pieces=self.pieces[:pieces],
            lengths=self.lengths[:pieces],
            firsts=self.firsts[:pieces],
            sides=sides,
            memory=memory,
            ahead=ahead,
        )

    @property
    def filled(self) -> int:
        """How many fresh tokens the last window has."""
        return sum(self.lengths[self.firsts[-1] :]) if self.firsts else 0

    def ends_window(self, length: int) -> bool:
        """Whether a further piece of `length` tokens opens the next window."""
        return opens_chunk(self.filled, length)

    def add_piece(self, token_ids: tuple[int, ...]) -> None:
        """Append a piece. If it opens a window, what was read ahead for that is all that is remembered."""
        if self.ends_window(len(token_ids)):
            self.memory = self.ahead
            self.firsts.append(len(self.pieces))
        else:
            self.firsts.append(self.firsts[-1])
        self.ahead = None
        self.pieces.append(token_ids)
        self.lengths.append(len(token_ids))

    def next_context(self) -> Window:
        """What opens the window after the last one, if the next piece opens it."""
        return _joined(self._context(len(self.pieces)))

    def window(self, start: int) -> Window:
        """What the engine has to read for the pieces from `start` to the last, all of one window.

        With a memory these pieces alone; without, their context and the window's earlier pieces first.
        """
        if self.memory is not None:
            return _joined(self.pieces[start:])
        first = self.firsts[start]
        return _joined([*self._context(first), *self.pieces[first:]])

    def _context(self, first: int) -> list[tuple[int, ...]]:
        return [self._tail(part.piece, part.length) for part in context(self.lengths, first)]

    def _tail(self, piece: int, length: int) -> tuple[int, ...]:
        ids = self.pieces[piece]
        return (ids[0], *ids[len(ids) - length + 1 :])

    def _place(self, piece: int) -> int:
        """How many tokens of the last window come before `piece`."""
        first = self.firsts[-1]
        before = sum(part.length for part in context(self.lengths, first))
        return before + sum(self.lengths[first:piece])


def _joined(pieces: Iterable[tuple[int, ...]]) -> Window:
    """One window of these pieces."""
    token_ids: list[int] = []
    ordinals: list[int] = []
    for ordinal, ids in enumerate(pieces):
        token_ids += ids
        ordinals += [ordinal] * len(ids)
    return Window(tuple(token_ids), tuple(ordinals))

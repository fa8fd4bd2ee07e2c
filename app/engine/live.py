"""A conversation while it is spoken: turns by id, revised as recognitions change, scored as it grows.

It keeps what was said and what was last answered, and does not score: it hands out the whole
conversation with the keys of its prefixes, so that the scorer's cache knows all but what is new. Hence its
scores are those of the whole conversation, and a further turn costs the same however long the call is:
nothing here walks all turns for one, except plain copies.

One task at a time scores a live conversation: no turn is taken between `request` and `settle`.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.alerts import Alert, AlertPolicy, AlertState, Change, Watch, changes, continued, raised
from app.core.conversation import Channel, Turn
from app.core.errors import LimitExceeded
from app.core.scores import ConversationScore
from app.core.turn_scores import TurnScore
from app.engine.limits import Limits
from app.engine.prefix import KeyedConversation, next_key, root_key
from app.engine.scorer import folded

# Measured with tracemalloc: a turn's score, state of the alerts, key and places in lists and tables.
_BYTES_A_TURN = 5_000
_BYTES_A_CHARACTER = 2


@dataclass(frozen=True, slots=True)
class Settled:
    """What a score brought: indices of the turns that were said anew, of others whose score moved, and alerts."""

    said: tuple[int, ...]
    rescored: tuple[int, ...]
    alerts: tuple[Change, ...]


class LiveConversation:
    """Turns in the order in which they were first seen, with their newest revisions and last scores."""

    def __init__(
        self,
        limits: Limits,
        policy: AlertPolicy,
        scope: str,
        id_: str | None = None,
        channel: Channel | None = None,
    ) -> None:
        self.id = id_
        self.channel = channel
        self.policy = policy
        self.score: ConversationScore | None = None
        self._limits = limits
        self._scope = scope
        self._root = root_key(scope)
        self._turns: list[Turn] = []
        self._revisions: list[int] = []
        self._finals: list[bool] = []
        self._lengths: list[int] = []
        self._characters = 0
        self._keys: list[bytes] = []
        self._places: dict[str, int] = {}
        self._watches: list[Watch] = []
        # What was told of each turn but can no longer be told from the state of the alerts.
        self._withdrawn: dict[int, tuple[Change, ...]] = {}
        # In the order in which they came; their scores, or whether they ring, are not known yet.
        self._unsettled: dict[int, None] = {}
        # Those of them whose words are new; a turn may also only have become final.
        self._unscored: set[int] = set()

    def __len__(self) -> int:
        return len(self._turns)

    @property
    def pending(self) -> bool:
        """Whether something was said that has no answer yet."""
        return bool(self._unsettled)

    @property
    def unscored(self) -> int:
        """How many turns' words have not been scored."""
        return len(self._unscored)

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes."""
        return _BYTES_A_TURN * (1 + len(self._turns)) + _BYTES_A_CHARACTER * self._characters

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All turns as last said."""
        return tuple(self._turns)

    @property
    def alerts(self) -> list[Alert]:
        """All alerts that stand, in the order in which they rang."""
        return raised(self._watches)

    @property
    def ringing(self) -> list[Alert]:
        """The alerts that have not fallen quiet."""
        return list(self._watches[-1].ringing.values()) if self._watches else []

    def turn(self, index: int) -> tuple[Turn, int]:
        """A turn and its revision."""
        return self._turns[index], self._revisions[index]

    def place(self, id_: str) -> int | None:
        """The index of a turn, if there is one of this id."""
        return self._places.get(id_)

    def told(self, index: int) -> list[Change]:
        """The alerts that the turn of this index set off, as they were told or stand by now."""
        watch = self._watches[index]
        return [
            *self._withdrawn.get(index, ()),
            *(Change(AlertState.QUIET, alert, index) for alert in watch.quieted),
            *(Change(AlertState.RAISED, alert, index) for alert in watch.raised),
        ]

    def take(self, turn: Turn, revision: int | None = None) -> bool:
        """Take in a turn, or a revision of one by its id.

        Args:
            turn: what was said, by whom; its id names it.
            revision: counts up with each recognition of the same turn; without one, whatever says something
                else than before is the next revision.

        Returns:
            Whether it says anything new; one of a lower or equal revision than the known one does not.

        Raises:
            InvalidConversation, LimitExceeded: if it cannot be scored, or is too much; it is not taken then.
        """
        index = self._places.get(turn.id)
        if index is None:
            return self._add(turn, revision or 0)
        known = self._turns[index]
        if revision is None:
            if (known.role, known.text, known.is_final) == (turn.role, turn.text, turn.is_final):
                return False
            revision = self._revisions[index] + 1
        elif revision <= self._revisions[index]:
            return False
        self._revise(index, turn, revision)
        return True

    def request(self) -> KeyedConversation:
        """The whole conversation as it is to be scored; at least one turn must have been taken."""
        return KeyedConversation(self.turns, self.id, self.channel, keys=tuple(self._keys), scope=self._scope)

    def settle(self, score: ConversationScore) -> Settled:
        """Take in the score of `request`, made after the last `take`."""
        said = tuple(self._unsettled)
        first = min(said, default=len(self._turns))
        old = self.score.turns if self.score else ()
        # Comparing tuples of the same objects is a walk over pointers. A side that turns out to be, or no
        # longer to be, of another language changes turns of long ago.
        if old[:first] != score.turns[:first]:
            first = next(index for index, (was, is_) in enumerate(zip(old, score.turns, strict=False)) if was != is_)
        rescored = tuple(
            index
            for index in range(first, len(score.turns))
            if index not in self._unsettled and score.turns[index] != old[index]
        )
        self.score = score
        alerts = tuple(self._watch(first, score.turns))
        self._unsettled.clear()
        self._unscored.clear()
        return Settled(said, rescored, alerts)

    def _watch(self, first: int, scores: tuple[TurnScore, ...]) -> list[Change]:
        old = self._watches[first:]
        del self._watches[first:]
        self._watches += continued(self._watches, scores, self._finals, self.policy)
        told = changes(old, self._watches[first:], first)
        for index in range(first, first + len(old)):
            self._withdrawn.pop(index, None)
        if lost := tuple(change for change in told if change.state is AlertState.WITHDRAWN):
            self._withdrawn[first] = lost
        return told

    def _add(self, turn: Turn, revision: int) -> bool:
        limits = self._limits
        if len(self._turns) >= limits.max_turns:
            raise LimitExceeded(f"the conversation has {len(self._turns)} turns, which is the limit; end it")
        length = self._checked(turn, 0)
        self._places[turn.id] = len(self._turns)
        self._unsettled[len(self._turns)] = None
        self._unscored.add(len(self._turns))
        self._keys.append(next_key(self._keys[-1] if self._keys else self._root, turn))
        self._turns.append(turn)
        self._revisions.append(revision)
        self._finals.append(turn.is_final)
        self._lengths.append(length)
        self._characters += length
        return True

    def _revise(self, index: int, turn: Turn, revision: int) -> None:
        known = self._turns[index]
        if (known.role, known.text) != (turn.role, turn.text):
            length = self._checked(turn, self._lengths[index])
            self._characters += length - self._lengths[index]
            self._lengths[index] = length
            self._unscored.add(index)
            key = self._keys[index - 1] if index else self._root
            self._turns[index] = turn
            for place in range(index, len(self._turns)):
                key = self._keys[place] = next_key(key, self._turns[place])
        self._turns[index] = turn
        self._revisions[index] = revision
        self._finals[index] = turn.is_final
        self._unsettled[index] = None

    def _checked(self, turn: Turn, replaced: int) -> int:
        """The length of a turn's folded text. Raises if it cannot be scored, or is too much."""
        length = len(folded(len(self._turns), turn.text, self._limits).text)
        most = self._limits.max_conversation_characters
        if self._characters - replaced + length > most:
            raise LimitExceeded(f"the conversation would have over {most} characters; end it")
        return length

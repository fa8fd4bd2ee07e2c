"""The conversations that are sent: those of the test split, in an endless supply of which no two are alike.

Every turn ends with a number drawn for it, which adds one to three tokens. A server that remembers
what it has scored, as softsell does, gains nothing from it but where a conversation really grows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.core.chunks import CONTEXT_TOKENS
from app.core.conversation import Conversation, Turn
from app.engine.windows import SupportsEncoding

Load = Literal["calls", "live", "appended", "context", "bare"]
LOADS: dict[Load, str] = {
    "calls": "whole calls, each turn with its context",
    "live": "a call turn by turn, with all that came before it",
    "appended": "a call turn by turn, each turn added to what the server remembers",
    "context": "single turns, each with its context only",
    "bare": "single turns without context",
}
_NUMBERS = (1000, 9999)
# A shorter rest of a turn is left out of a context, as softsell does.
_SHORTEST_TAIL_TOKENS = 12


@dataclass(frozen=True, slots=True)
class Task:
    """What one answer is wanted for: a conversation of which the last `turns` turns are to be scored."""

    conversation: Conversation
    turns: int


class Calls:
    """Conversations without end, in an order and with numbers drawn from `seed`."""

    def __init__(self, conversations: Sequence[Conversation], seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a fixed seed is wanted, not a secret
        self._conversations = list(conversations)
        self._waiting: list[Conversation] = []

    def __iter__(self) -> Iterator[Conversation]:
        return self

    def __next__(self) -> Conversation:
        if not self._waiting:
            self._waiting = self._random.sample(self._conversations, len(self._conversations))
        conversation = self._waiting.pop()
        turns = [
            Turn(str(index), turn.role, f"{turn.text} {self._random.randint(*_NUMBERS)}")
            for index, turn in enumerate(conversation.turns)
        ]
        return Conversation(tuple(turns), channel=conversation.channel)

    def of_length(self, turns: int) -> Conversation:
        """One conversation of exactly `turns` turns, joined from as many as it takes."""
        joined: list[Turn] = []
        while len(joined) < turns:
            joined += next(self).turns
        return Conversation(tuple(Turn(str(index), turn.role, turn.text) for index, turn in enumerate(joined[:turns])))


def up_to(conversation: Conversation, turns: int) -> Conversation:
    """The conversation when it had so many turns."""
    return replace(conversation, turns=conversation.turns[:turns])


def token_counts(turns: Sequence[Turn], encoder: SupportsEncoding) -> list[int]:
    """How many tokens each turn has."""
    return [len(encoded.ids) for encoded in encoder.encode([turn.text for turn in turns])]


def with_context(turns: Sequence[Turn], last: int, lengths: Sequence[int], encoder: SupportsEncoding) -> list[Turn]:
    """Turn `last` behind at most `CONTEXT_TOKENS` tokens of what came before it, the oldest turn cut to its end.

    `lengths[i]` is how many tokens turn i has.
    """
    chosen, room = [turns[last]], CONTEXT_TOKENS
    for index in range(last - 1, -1, -1):
        if lengths[index] > room:
            if room >= _SHORTEST_TAIL_TOKENS:
                (encoded,) = encoder.encode([turns[index].text])
                text = turns[index].text[encoded.spans[-room][0] :]
                chosen.append(Turn(turns[index].id, turns[index].role, text))
            break
        chosen.append(turns[index])
        room -= lengths[index]
    return chosen[::-1]


def tasks(load: Load, conversation: Conversation, encoder: SupportsEncoding) -> list[Task]:
    """What is asked, in this order, about one conversation that nothing is remembered of."""
    turns = conversation.turns
    if load == "calls":
        return [Task(conversation, len(turns))]
    if load == "live":
        return [Task(up_to(conversation, end + 1), 1) for end in range(len(turns))]
    if load == "bare":
        return [Task(replace(conversation, turns=(turn,)), 1) for turn in turns]
    lengths = token_counts(turns, encoder)
    found: list[Task] = []
    for index in range(len(turns)):
        first, *others = with_context(turns, index, lengths, encoder)
        if others:
            # While a call is short, all its contexts begin alike, and what begins alike is remembered.
            first = Turn(first.id, first.role, f"{first.text} {index}")
        found.append(Task(replace(conversation, turns=(first, *others)), 1))
    return found

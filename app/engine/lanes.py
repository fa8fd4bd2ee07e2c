"""A lane of the batcher: its queue, its threads, and who is next.

Scopes take turns, so that whoever sends many conversations waits for their own and others do not.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from app.core.conversation import Conversation
from app.core.scores import ConversationScore

# A tenth of the weight of live threads, by the kernel's table.
_BATCH_NICENESS = 10


def give_way() -> None:
    """Lower this thread's priority, where the system has priorities of threads (Linux)."""
    with contextlib.suppress(AttributeError, OSError):
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _BATCH_NICENESS)


class Ticket:
    """One conversation on its way, and the answer its caller waits for."""

    def __init__(
        self, conversation: Conversation, evidence: bool, scope: str | None, goes_on: bool, deadline: float
    ) -> None:
        self.conversation = conversation
        self.evidence = evidence
        self.scope = scope
        self.goes_on = goes_on
        self.deadline = deadline
        self.answer: asyncio.Future[ConversationScore] = asyncio.get_running_loop().create_future()
        self.abandoned = False
        self.started = self.last_sign_of_life = time.monotonic()
        self.windows = 0


class Lane:
    """A queue, the threads that serve it, and what is on them."""

    def __init__(self, workers: int, name: str, prepare: Callable[[], None] | None = None) -> None:
        self.workers = workers
        self.executor = ThreadPoolExecutor(workers, thread_name_prefix=name, initializer=prepare)
        self.queue: deque[Ticket] = deque()
        self.running: set[Ticket] = set()
        # When each scope that is here was last served, as a count.
        self._turns: dict[str | None, int] = {}
        self._turn = 0

    def next(self) -> Ticket:
        """Take the next one out of the queue: of the scope that had its turn the longest ago, the oldest.

        So whoever sends many waits for their own, and others do not.
        """
        there = {ticket.scope for ticket in self.tickets}
        self._turns = {scope: turn for scope, turn in self._turns.items() if scope in there}
        ticket = min(self.queue, key=lambda waiting: self._turns.get(waiting.scope, -1))
        self.queue.remove(ticket)
        self._turn += 1
        self._turns[ticket.scope] = self._turn
        return ticket

    def displaced_by(self, scope: str | None) -> Ticket | None:
        """Which one gives way in a full lane: the newest that waits of the scope with most, if `scope` has fewer."""
        held = Counter(ticket.scope for ticket in self.tickets)
        holder, most = held.most_common(1)[0]
        if held[scope] + 1 >= most:
            return None
        return next((ticket for ticket in reversed(self.queue) if ticket.scope == holder), None)

    @property
    def here(self) -> int:
        """Conversations that wait or run."""
        return len(self.queue) + len(self.running)

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """All of them."""
        return (*self.queue, *self.running)

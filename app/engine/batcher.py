"""The asyncio front of the scorer: a bounded queue before a few worker threads.

Every caller gets an answer: a score, or one of the errors named in `Batcher.score`. Being admitted
and standing in the queue are one step, so that nothing waits outside the count. Work whose caller
has gone, or whose time is over, leaves the queue at once and a worker between two windows. The
outcomes of the last forwards are the health of the model; nothing else is.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from app.core.conversation import Conversation
from app.core.errors import DeadlineExceeded, ModelFailed, Overloaded, SoftsellError
from app.core.scores import ConversationScore
from app.engine.limits import Limits

FAILURES_UNTIL_UNHEALTHY = 3
# Seconds of one conversation's work, until enough were measured to say better.
_FIRST_GUESS_S = 0.2
_SMOOTHING = 0.2
_LONGEST_RETRY_S = 60
# How long an abandoned conversation may take to notice, on shutdown: about one window.
_LAST_WINDOW_S = 1.0


class Scores(Protocol):
    """What the batcher runs: `Scorer`, or a stand-in for it."""

    def score(
        self, conversation: Conversation, *, evidence: bool = True, cancelled: Callable[[], bool] = ...
    ) -> ConversationScore:
        """Score one conversation, asking `cancelled` before each window."""
        ...


@dataclass(frozen=True, slots=True)
class Health:
    """What the last forwards say of the model.

    `last_success_s` is the age in seconds of the last forward that succeeded; infinite before one.
    `stuck_workers` counts threads inside one window for longer than a whole conversation may take.
    """

    failures_in_row: int
    last_success_s: float
    stuck_workers: int
    workers: int

    @property
    def stuck(self) -> bool:
        """Whether no worker is left that could do anything; only a restart helps."""
        return self.stuck_workers >= self.workers

    @property
    def healthy(self) -> bool:
        """Whether a request can be expected to succeed."""
        return self.failures_in_row < FAILURES_UNTIL_UNHEALTHY and not self.stuck


class _Ticket:
    """One conversation on its way, and the answer its caller waits for."""

    def __init__(self, conversation: Conversation, evidence: bool, deadline: float) -> None:
        self.conversation = conversation
        self.evidence = evidence
        self.deadline = deadline
        self.answer: asyncio.Future[ConversationScore] = asyncio.get_running_loop().create_future()
        self.abandoned = False
        self.started = self.last_sign_of_life = time.monotonic()
        self.windows = 0


class Batcher:
    """Scores conversations on `workers` threads, at most `limits.max_waiting` of them at once.

    Belongs to the event loop it is used in; only `_work` runs on other threads.
    """

    def __init__(
        self, scorer: Scores, limits: Limits, workers: int, on_model_failure: Callable[[], None] = lambda: None
    ) -> None:
        self._scorer = scorer
        self._limits = limits
        self._workers = workers
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="score")
        self._queue: deque[_Ticket] = deque()
        self._running: set[_Ticket] = set()
        self._closing = False
        self._failures_in_row = 0
        self._last_success = -math.inf
        self._usual_s = _FIRST_GUESS_S
        self._on_model_failure = on_model_failure

    @property
    def waiting(self) -> int:
        """Conversations in the queue, not yet with a worker."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Conversations that occupy a worker, abandoned ones included."""
        return len(self._running)

    @property
    def health(self) -> Health:
        """The model's state, from its last outcomes."""
        now = time.monotonic()
        limit_s = self._limits.deadline_s
        stuck = sum(1 for ticket in self._running if now - ticket.last_sign_of_life > limit_s)
        return Health(self._failures_in_row, now - self._last_success, stuck, self._workers)

    async def score(self, conversation: Conversation, *, evidence: bool = True) -> ConversationScore:
        """Score one conversation; see `Scorer.score` for the arguments.

        Cancelling the call cancels the work.

        Raises:
            Overloaded: if `limits.max_waiting` conversations are here already, or on shutdown.
            DeadlineExceeded: if there is no score after `limits.deadline_s`.
            ModelFailed: if the forward pass raised, or gave numbers that are not finite.
            InvalidConversation, LimitExceeded: if the conversation cannot be scored as it is.
        """
        ticket = self._admit(conversation, evidence)
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                return await ticket.answer
        except TimeoutError:
            raise DeadlineExceeded(
                f"no score within {self._limits.deadline_s:g} s; send fewer turns or try again later"
            ) from None
        finally:
            ticket.abandoned = True
            if ticket in self._queue:
                self._queue.remove(ticket)

    async def close(self, drain_s: float = 5.0) -> bool:
        """Refuse new work, wait for what is here, and let the threads go.

        Whoever still waits after `drain_s` seconds is answered with `Overloaded`.

        Returns:
            Whether every thread has ended; false if a forward hangs.
        """
        self._closing = True
        await self._emptied(drain_s)
        for ticket in (*self._queue, *self._running):
            ticket.abandoned = True
            _answer(ticket, self._shutting_down())
        self._queue.clear()
        await self._emptied(_LAST_WINDOW_S)
        self._executor.shutdown(wait=not self._running)
        return not self._running

    async def _emptied(self, within_s: float) -> None:
        end = time.monotonic() + within_s
        while (self._queue or self._running) and time.monotonic() < end:
            await asyncio.sleep(0.01)

    def _admit(self, conversation: Conversation, evidence: bool) -> _Ticket:
        if self._closing:
            raise self._shutting_down()
        here = len(self._queue) + len(self._running)
        if here >= self._limits.max_waiting:
            raise Overloaded(
                f"{here} conversations are being scored, which is the most this server takes; try again later",
                retry_after_s=min(max(1, math.ceil(here * self._usual_s / self._workers)), _LONGEST_RETRY_S),
            )
        ticket = _Ticket(conversation, evidence, time.monotonic() + self._limits.deadline_s)
        self._queue.append(ticket)
        self._dispatch()
        return ticket

    def _dispatch(self) -> None:
        while self._queue and len(self._running) < self._workers:
            ticket = self._queue.popleft()
            if ticket.answer.done():
                continue
            self._running.add(ticket)
            ticket.started = ticket.last_sign_of_life = time.monotonic()
            try:
                work = self._executor.submit(self._work, ticket)
            except RuntimeError:
                # The system has no thread to give.
                ticket.abandoned = True
                self._running.discard(ticket)
                _answer(ticket, Overloaded("the server has no thread left; try again later", retry_after_s=5))
                continue
            work.add_done_callback(partial(_tell, asyncio.get_running_loop(), self._finished, ticket))

    def _work(self, ticket: _Ticket) -> ConversationScore:
        """Runs on a worker thread; touches nothing of the batcher but plain numbers."""

        def cancelled() -> bool:
            ticket.last_sign_of_life = time.monotonic()
            ticket.windows += 1
            if ticket.windows > 1:
                # Being asked again means that the window before came back well.
                self._last_success = ticket.last_sign_of_life
            return ticket.abandoned or ticket.last_sign_of_life > ticket.deadline

        return self._scorer.score(ticket.conversation, evidence=ticket.evidence, cancelled=cancelled)

    def _finished(self, ticket: _Ticket, work: Future[ConversationScore]) -> None:
        """Back on the event loop: count the outcome, answer the caller, start the next."""
        self._running.discard(ticket)
        error = work.exception()
        now = time.monotonic()
        if error is None:
            self._failures_in_row = 0
            self._last_success = now
            self._usual_s += _SMOOTHING * (now - ticket.started - self._usual_s)
            if not ticket.answer.done():
                ticket.answer.set_result(work.result())
        else:
            if not isinstance(error, SoftsellError):
                error = ModelFailed(f"scoring failed ({type(error).__name__}); try again, or report it if it persists")
            if isinstance(error, ModelFailed):
                self._failures_in_row += 1
                self._on_model_failure()
            _answer(ticket, error)
        self._dispatch()

    @staticmethod
    def _shutting_down() -> Overloaded:
        return Overloaded("the server is shutting down; try again", retry_after_s=1)


def _answer(ticket: _Ticket, error: SoftsellError) -> None:
    if not ticket.answer.done():
        ticket.answer.set_exception(error)
        # Read once here, so that a caller who has gone leaves no warning behind.
        ticket.answer.exception()


def _tell(
    loop: asyncio.AbstractEventLoop,
    finished: Callable[[_Ticket, Future[ConversationScore]], None],
    ticket: _Ticket,
    work: Future[ConversationScore],
) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(finished, ticket, work)

"""The asyncio front of the scorer: bounded queues before a few worker threads.

There are two lanes, each with its own threads: live work, whose callers wait for it and have a deadline,
and batch work, which has none. The threads of the batch lane run at a lower priority of the system, so that
live work takes the processor from them at once, in the middle of a window, and they take what is left over.

Every caller gets an answer: a score, or one of the errors named in `Batcher.score`. Being admitted
and standing in the queue are one step, so that nothing waits outside the count. Work whose caller
has gone, or whose time is over, leaves the queue at once and a worker between two windows. The
outcomes of the last forwards are the health of the model; nothing else is.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Protocol

from app.core.conversation import Conversation
from app.core.errors import DeadlineExceeded, ModelFailed, Overloaded, SoftsellError
from app.core.scores import ConversationScore
from app.engine.health import Health
from app.engine.lanes import Lane, Ticket, give_way
from app.engine.limits import Limits

# Seconds of one conversation's work, until enough were measured to say better.
_FIRST_GUESS_S = 0.2
_SMOOTHING = 0.2
_LONGEST_RETRY_S = 60
# How long an abandoned conversation may take to notice, on shutdown: about one window.
_LAST_WINDOW_S = 1.0


class Scores(Protocol):
    """What the batcher runs: `Scorer`, or a stand-in for it."""

    def score(
        self,
        conversation: Conversation,
        *,
        evidence: bool = True,
        scope: str | None = None,
        cancelled: Callable[[], bool] = ...,
    ) -> ConversationScore:
        """Score one conversation, asking `cancelled` before each window."""
        ...

    def prepare(self, conversation: Conversation, *, scope: str) -> None:
        """Do in advance what its next turn needs."""
        ...


class Batcher:
    """Scores conversations on `workers` threads a lane, at most `limits.max_waiting` at once in each.

    Belongs to the event loop it is used in; only `_work` runs on other threads.
    """

    def __init__(
        self, scorer: Scores, limits: Limits, workers: int, on_model_failure: Callable[[], None] = lambda: None
    ) -> None:
        self._scorer = scorer
        self._limits = limits
        self._live = Lane(workers, "score")
        self._batch = Lane(workers, "batch", give_way)
        self._closing = False
        self._failures_in_row = 0
        self._last_success = -math.inf
        self._usual_s = _FIRST_GUESS_S
        self._on_model_failure = on_model_failure

    @property
    def waiting(self) -> int:
        """Conversations in a queue, not yet with a worker."""
        return len(self._live.queue) + len(self._batch.queue)

    @property
    def running(self) -> int:
        """Conversations that occupy a worker, abandoned ones included."""
        return len(self._live.running) + len(self._batch.running)

    @property
    def health(self) -> Health:
        """The model's state, from its last outcomes."""
        now = time.monotonic()
        limit_s = self._limits.deadline_s
        # Batch work may have to wait for the processor at any place, so it says nothing of the model.
        stuck = sum(1 for ticket in self._live.running if now - ticket.last_sign_of_life > limit_s)
        return Health(self._failures_in_row, now - self._last_success, stuck, self._live.workers)

    async def score(
        self,
        conversation: Conversation,
        *,
        evidence: bool = True,
        scope: str | None = None,
        batch: bool = False,
        goes_on: bool = False,
    ) -> ConversationScore:
        """Score one conversation; see `Scorer.score` for the arguments.

        Live work goes before work of a batch, which has no deadline. Of a conversation that `goes_on`, what its
        next turn needs is prepared once it is answered, if nothing else is to be done. Cancelling the call
        cancels the work.

        Raises:
            Overloaded: if `limits.max_waiting` conversations are here already, or on shutdown; also later,
                if the lane is full, this `scope` has most of it, and another one has work.
            DeadlineExceeded: if there is no score after `limits.deadline_s`.
            ModelFailed: if the forward pass raised, or gave numbers that are not finite.
            InvalidConversation, LimitExceeded: if the conversation cannot be scored as it is.
        """
        lane = self._batch if batch else self._live
        within_s = None if batch else self._limits.deadline_s
        deadline = math.inf if within_s is None else time.monotonic() + within_s
        ticket = self._admit(lane, Ticket(conversation, evidence, scope, goes_on, deadline))
        try:
            async with asyncio.timeout(within_s):
                return await ticket.answer
        except TimeoutError:
            raise DeadlineExceeded(
                f"no score within {self._limits.deadline_s:g} s; send fewer turns or try again later"
            ) from None
        finally:
            ticket.abandoned = True
            if ticket in lane.queue:
                lane.queue.remove(ticket)

    async def close(self, drain_s: float = 5.0) -> bool:
        """Refuse new work, wait for what is here, and let the threads go.

        Whoever still waits after `drain_s` seconds is answered with `Overloaded`.

        Returns:
            Whether every thread has ended; false if a forward hangs.
        """
        self._closing = True
        await self._emptied(drain_s)
        for lane in self._lanes:
            for ticket in lane.tickets:
                ticket.abandoned = True
                _answer(ticket, self._shutting_down())
            lane.queue.clear()
        await self._emptied(_LAST_WINDOW_S)
        ended = self.running == 0
        for lane in self._lanes:
            lane.executor.shutdown(wait=ended)
        return ended

    @property
    def _lanes(self) -> tuple[Lane, Lane]:
        return self._live, self._batch

    async def _emptied(self, within_s: float) -> None:
        end = time.monotonic() + within_s
        while any(lane.here for lane in self._lanes) and time.monotonic() < end:
            await asyncio.sleep(0.01)

    def _admit(self, lane: Lane, ticket: Ticket) -> Ticket:
        if self._closing:
            raise self._shutting_down()
        # A live conversation has one turn here at most, and they are counted where they are opened.
        most = self._limits.max_live_conversations if ticket.goes_on else self._limits.max_waiting
        if lane.here >= most:
            full = Overloaded(
                f"{lane.here} conversations are being scored, which is the most this server takes; try again later",
                retry_after_s=min(max(1, math.ceil(lane.here * self._usual_s / lane.workers)), _LONGEST_RETRY_S),
            )
            displaced = lane.displaced_by(ticket.scope)
            if displaced is None:
                raise full
            lane.queue.remove(displaced)
            _answer(displaced, full)
        lane.queue.append(ticket)
        self._dispatch(lane)
        return ticket

    def _dispatch(self, lane: Lane) -> None:
        while lane.queue and len(lane.running) < lane.workers:
            ticket = lane.next()
            if ticket.answer.done():
                continue
            lane.running.add(ticket)
            ticket.started = ticket.last_sign_of_life = time.monotonic()
            try:
                work = lane.executor.submit(self._work, ticket)
            except RuntimeError:
                # The system has no thread to give.
                ticket.abandoned = True
                lane.running.discard(ticket)
                _answer(ticket, Overloaded("the server has no thread left; try again later", retry_after_s=5))
                continue
            work.add_done_callback(partial(_tell, asyncio.get_running_loop(), partial(self._finished, lane), ticket))

    def _work(self, ticket: Ticket) -> ConversationScore:
        """Runs on a worker thread; touches nothing of the batcher but plain numbers."""

        def cancelled() -> bool:
            ticket.last_sign_of_life = time.monotonic()
            ticket.windows += 1
            if ticket.windows > 1:
                # Being asked again means that the window before came back well.
                self._last_success = ticket.last_sign_of_life
            return ticket.abandoned or ticket.last_sign_of_life > ticket.deadline

        return self._scorer.score(
            ticket.conversation, evidence=ticket.evidence, scope=ticket.scope, cancelled=cancelled
        )

    def _finished(self, lane: Lane, ticket: Ticket, work: Future[ConversationScore]) -> None:
        """Back on the event loop: count the outcome, answer the caller, start the next."""
        lane.running.discard(ticket)
        error = work.exception()
        now = time.monotonic()
        if error is None:
            if ticket.windows:
                # What was known already says nothing of the model.
                self._failures_in_row = 0
                self._last_success = now
            if lane is self._live:
                self._usual_s += _SMOOTHING * (now - ticket.started - self._usual_s)
            if not ticket.answer.done():
                ticket.answer.set_result(work.result())
            if ticket.goes_on and ticket.scope is not None:
                self._prepare(ticket.conversation, ticket.scope)
        else:
            if not isinstance(error, SoftsellError):
                error = ModelFailed(f"scoring failed ({type(error).__name__}); try again, or report it if it persists")
            if isinstance(error, ModelFailed):
                self._failures_in_row += 1
                self._on_model_failure()
            _answer(ticket, error)
        self._dispatch(lane)

    def _prepare(self, conversation: Conversation, scope: str) -> None:
        if not self._closing and not any(lane.here for lane in self._lanes):
            self._batch.executor.submit(self._scorer.prepare, conversation, scope=scope)

    @staticmethod
    def _shutting_down() -> Overloaded:
        return Overloaded("the server is shutting down; try again", retry_after_s=1)


def _answer(ticket: Ticket, error: SoftsellError) -> None:
    if not ticket.answer.done():
        ticket.answer.set_exception(error)
        # Read once here, so that a caller who has gone leaves no warning behind.
        ticket.answer.exception()


def _tell(
    loop: asyncio.AbstractEventLoop,
    finished: Callable[[Ticket, Future[ConversationScore]], None],
    ticket: Ticket,
    work: Future[ConversationScore],
) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(finished, ticket, work)

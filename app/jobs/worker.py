"""Scores the items of batches whenever there are any, one worker a process.

Items are claimed in groups and their results written in groups, both beside the scoring, so that it never waits for
the database. What goes wrong with the store stops nothing else: results are kept, and the store is asked again until
it is back. See `app.store.batch_queue` for why no item is lost or has two results, whoever is killed when.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from app.core.errors import SoftsellError, StoreUnavailable
from app.jobs.files import ResultFiles
from app.jobs.presence import Presence
from app.observe import LOGGER
from app.store.batch_queue import BatchQueue, Claimed, Finished

T = TypeVar("T")

logger = logging.getLogger(LOGGER)


class Later(SoftsellError):
    """The item cannot be scored at present, for no reason of its own; it is given back."""

    code = "later"


class Score(Protocol):
    """What makes a line of results of an item."""

    async def __call__(self, item: Claimed) -> Finished:
        """Score it. Raises `Later`; all that is wrong with the item is a `Finished` with a code."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How a worker goes about it; times in seconds."""

    # Items scored or prepared at the same time.
    at_once: int
    # Items of one claim, and results of one transaction at the most.
    group: int = 64
    # A result waits no longer than this for others to be written with.
    write_after_s: float = 1.0
    idle_s: float = 2.0
    look_after_s: float = 5.0
    longest_pause_s: float = 30.0


class Worker:
    """Belongs to the event loop it is started in; the store is asked in two threads of its own."""

    def __init__(self, queue: BatchQueue, files: ResultFiles, presence: Presence, score: Score, pace: Pace) -> None:
        self._queue = queue
        self._files = files
        self._presence = presence
        self._score = score
        self._pace = pace
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="jobs")
        self._tasks: list[asyncio.Task[None]] = []
        self._woken = asyncio.Event()
        self._settled = asyncio.Event()
        self._claims = 0
        self._last_batch = ""
        self._waiting: deque[Claimed] = deque()
        self._running: dict[asyncio.Task[Finished], Claimed] = {}
        self._finished: list[Finished] = []
        self._oldest_finished = 0.0
        self._claim_again = 0.0

    def start(self) -> None:
        """Begin; returns at once."""
        if not self._tasks:
            rounds = (self._work, self._look_after)
            self._tasks = [asyncio.create_task(self._again_and_again(each)) for each in rounds]

    def wake(self) -> None:
        """Say that there is something to do."""
        self._woken.set()
        self._settled.set()

    async def close(self) -> None:
        """Stop: write what is finished, give back what is not. Never raises."""
        for task in (*self._tasks, *self._running):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._running, return_exceptions=True)
        if self._tasks:
            held = [*self._waiting, *self._running.values()]
            try:
                if self._finished:
                    await self._ask(self._queue.finish, tuple(self._finished))
                if held:
                    await self._ask(self._queue.release, held)
            except StoreUnavailable:
                # Whoever comes next finds that this worker has ended.
                logger.warning("batches: what was being scored could not be given back yet")
        await asyncio.to_thread(self._threads.shutdown, wait=True)
        self._presence.close()

    async def _again_and_again(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` for ever; after a failure, wait for longer each time."""
        pause_s = 0.5
        while True:
            started = time.monotonic()
            try:
                await work()
            except StoreUnavailable as error:
                logger.warning("batches wait for the store: %s", error, extra={"fields": {"reason": error.reason}})
            except Exception:
                # A worker that ended would leave every batch, and nobody would notice.
                logger.exception("a round of the batches' worker failed")
            if time.monotonic() - started > self._pace.longest_pause_s:
                pause_s = 0.5
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, self._pace.longest_pause_s)

    async def _look_after(self) -> None:
        while True:
            await self._ask(self._take_back)
            if leases := {item.lease for item in (*self._waiting, *self._running.values())} | {
                item.claimed.lease for item in self._finished
            }:
                await self._ask(self._queue.renew, sorted(leases))
            await self._ask(self._end_batches)
            await _set_within(self._settled, self._pace.look_after_s)

    def _take_back(self) -> None:
        for worker, running in self._presence.ended():
            freed = self._queue.take_back(worker, running)
            logger.warning("a worker has ended in the middle of batches", extra={"fields": {"items": freed}})

    def _end_batches(self) -> None:
        ended = self._queue.look_after()
        for batch in ended:
            try:
                self._files.build(batch.id)
            except OSError as error:
                raise StoreUnavailable(
                    f"the results of a batch cannot be written ({error.strerror}); see SOFTSELL_DATA_DIR", "full"
                ) from None
            self._queue.finalised(batch)
        self._files.purge()

    async def _work(self) -> None:
        """Claim, score and write until something fails; each step goes on while the others run."""
        claiming: asyncio.Task[list[Claimed]] | None = None
        writing: asyncio.Task[None] | None = None
        try:
            while True:
                if claiming is None and self._wants_more():
                    claiming = asyncio.create_task(self._claim())
                self._begin()
                if writing is None and self._is_due():
                    writing = asyncio.create_task(self._write())
                await self._pause({*self._running, *(task for task in (claiming, writing) if task)})
                self._gather()
                if claiming is not None and claiming.done():
                    found, claiming = claiming.result(), None
                    self._waiting.extend(found)
                    if not (found or self._waiting or self._running or self._finished):
                        await _set_within(self._woken, self._pace.idle_s)
                        self._claim_again = 0.0
                if writing is not None and writing.done():
                    done, writing = writing, None
                    done.result()
        finally:
            if writing is not None:
                await asyncio.gather(writing, return_exceptions=True)
            if claiming is not None:
                (claimed,) = await asyncio.gather(claiming, return_exceptions=True)
                if isinstance(claimed, list):
                    self._waiting.extend(claimed)

    def _wants_more(self) -> bool:
        # An item with which a process ended is scored alone.
        alone = any(item.attempts for item in (*self._waiting, *self._running.values()))
        few = len(self._waiting) < self._pace.group // 2 and len(self._finished) < 4 * self._pace.group
        return few and not alone and time.monotonic() >= self._claim_again

    def _begin(self) -> None:
        while self._waiting and len(self._running) < self._pace.at_once:
            alone = self._waiting[0].attempts or any(item.attempts for item in self._running.values())
            if alone and self._running:
                break
            item = self._waiting.popleft()
            self._running[asyncio.create_task(self._score(item))] = item
        # No task has begun yet: a process never ends with an item that is not written down.
        self._presence.note([item.key for item in self._running.values()])

    def _is_due(self) -> bool:
        if not self._finished:
            return False
        late = time.monotonic() - self._oldest_finished >= self._pace.write_after_s
        return late or len(self._finished) >= self._pace.group or not (self._running or self._waiting)

    async def _pause(self, tasks: set[asyncio.Task[Any]]) -> None:
        if not tasks:
            # Nothing runs before the next claim.
            await asyncio.sleep(self._pace.idle_s / 10)
        else:
            await asyncio.wait(tasks, timeout=self._pace.write_after_s / 4, return_when=asyncio.FIRST_COMPLETED)

    def _gather(self) -> None:
        """Take what has been scored."""
        for task in [task for task in self._running if task.done()]:
            item = self._running.pop(task)
            if task.cancelled() or isinstance(task.exception(), Later):
                self._waiting.append(item)
                continue
            if not self._finished:
                self._oldest_finished = time.monotonic()
            self._finished.append(task.result())

    async def _claim(self) -> list[Claimed]:
        self._claims += 1
        lease = f"{self._presence.worker}/{self._claims}"
        found = await self._ask(self._queue.claim, lease, self._pace.group, self._last_batch)
        if found:
            self._last_batch = found[-1].key.batch_id
        else:
            self._claim_again = time.monotonic() + self._pace.idle_s
        return found

    async def _write(self) -> None:
        writing = tuple(self._finished[: 2 * self._pace.group])
        await self._ask(self._queue.finish, writing)
        del self._finished[: len(writing)]
        if not (self._waiting or self._running or self._finished):
            self._settled.set()
        self._oldest_finished = time.monotonic()

    async def _ask(self, work: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args))


async def _set_within(event: asyncio.Event, within_s: float) -> None:
    """Wait for an event, or as long as that, and clear it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()
    event.clear()

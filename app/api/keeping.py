"""The store of a running application: its threads, its hourly upkeep, and whether it works.

Stored work waits in threads of its own, so that a locked database takes none from scoring. Nothing
is opened before it is needed, and a store that does not work stops neither the start nor a score.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from app.build import conversations_of
from app.core.errors import StoreUnavailable
from app.observe import LOGGER, Metrics
from app.settings import Settings

_THREADS = 8
# Longer than two waits for a lock, and shorter than a caller's patience.
MOST_S = 15.0
CHECK_TIMEOUT_S = 2.0
UPKEEP_EVERY_S = 3_600.0

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(LOGGER)


class Keeper:
    """What one application stores, and how it gets there."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Nothing is opened yet. Raises `StoreUnavailable` if the database's URL is of no known kind."""
        self.conversations = conversations_of(settings)
        self.database = self.conversations.database
        self.works = True
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="store")
        self._upkeep: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None
        metrics.watch("store_works", "1 if what is stored could be read and written when last tried.", self._is_working)

    def start(self) -> None:
        """Begin the upkeep; returns at once."""
        self._upkeep = asyncio.create_task(self._keep_up())

    async def close(self) -> None:
        """Let go of the database; what has begun to be stored is stored."""
        for task in (self._upkeep, self._checking):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
        self.database.close()

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of work with the store, in one of its threads.

        Raises:
            StoreUnavailable: if the store does not work, or its threads have no time for this.
        """
        try:
            async with asyncio.timeout(MOST_S):
                return await self._in_thread(work, *args, **kwargs)
        except TimeoutError:
            self.works = False
            raise StoreUnavailable("the store does not answer in time; try again later", "locked") from None

    async def check(self) -> None:
        """Return if the store works or is not in use. Raises `StoreUnavailable`."""
        # One check at a time, shared by whoever asks meanwhile.
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self.run(self.database.check))
            # Looked at even if nobody waits so long, so that asyncio does not complain of it.
            self._checking.add_done_callback(lambda done: done.cancelled() or done.exception())
        done, _ = await asyncio.wait([self._checking], timeout=CHECK_TIMEOUT_S)
        if not done:
            raise StoreUnavailable("the store does not answer in time; see what locks it", "locked")
        self._checking.result()
        self.works = True

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            # Cancelled before a thread takes it up, it never runs.
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **kwargs))
        except StoreUnavailable as error:
            self.works = False
            logger.error("the store does not work: %s", error, extra={"fields": {"reason": error.reason}})
            raise

    async def _keep_up(self) -> None:
        while True:
            try:
                purged = await self._in_thread(self.conversations.purge)
                if purged:
                    logger.info("expired conversations deleted", extra={"fields": {"conversations": purged}})
            except StoreUnavailable:
                pass
            except Exception:
                # One that ended would leave what has expired, and nobody would notice.
                logger.exception("the store's upkeep failed")
            await asyncio.sleep(UPKEEP_EVERY_S)

    def _is_working(self) -> bool:
        return self.works

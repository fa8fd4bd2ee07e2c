"""The batches of a running application: their store, their files, and the worker that scores them.

The worker begins with the server if something is stored already, else with the first batch.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from app.api.batch.tables import FORMS
from app.api.batch.work import BatchWork
from app.api.requests import ScoreBody
from app.api.runtime import Runtime
from app.build import batches_of
from app.jobs.files import ResultFiles
from app.jobs.presence import Presence
from app.jobs.worker import Pace, Worker
from app.store.batch_queue import BatchQueue

# A worker that has not been heard of for so long has ended, or its machine has.
LEASE = timedelta(seconds=60)


class BatchDesk:
    """Belongs to one application."""

    def __init__(self, runtime: Runtime, body: type[ScoreBody]) -> None:
        settings = runtime.settings
        self._runtime = runtime
        self._folder: Path = settings.data_dir
        database, limits = runtime.keeper.database, settings.limits
        self.batches = batches_of(settings, database)
        self.files = ResultFiles(self._folder / "batches", self.batches, FORMS)
        self._queue = BatchQueue(self.batches, runtime.keeper.conversations, LEASE)
        self._work = BatchWork(runtime, body)
        # Twice as many as are scored, so that the next are read meanwhile.
        self._pace = Pace(at_once=max(1, min(2 * settings.workers + 2, limits.max_waiting)))
        self._worker: Worker | None = None

    def start(self) -> None:
        """Go on with what is stored; returns at once."""
        if self._runtime.keeper.database.in_use:
            self.wake()

    def wake(self) -> None:
        """Say that there is a batch."""
        if self._worker is None:
            presence = Presence(self._folder / "workers")
            self._worker = Worker(self._queue, self.files, presence, self._work, self._pace)
            self._worker.start()
        self._worker.wake()

    async def close(self) -> None:
        """Stop; what is not scored is scored after the next start."""
        if self._worker is not None:
            await self._worker.close()
        self._work.close()

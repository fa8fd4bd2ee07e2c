"""The valid keys in this process's memory, and what they were used for since that was last written.

All keys are read anew every `REFRESH_S`, so that a request costs no read of the database, a revoked key
ends within that time, and nobody can make the server read by sending keys that do not exist. A key that
is not known may have been made just now, so keys are read again for it, if that was not done lately.
While the store cannot be read, the keys read last go on to count for `STALE_S`, and then none does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from app.api.access.rates import Rates
from app.api.keeping import Keeper
from app.api.problems import KeyRefused
from app.core.errors import StoreUnavailable
from app.observe import LOGGER
from app.store.keys import Keys, KnownKey, Used, id_of, is_key, is_valid

REFRESH_S = 2.0
STALE_S = 60.0
# Unknown keys have the store read no more often than this.
_LATELY_S = 0.5
_PATIENCE_S = 2.0
FLUSH_EVERY_S = 10.0

logger = logging.getLogger(LOGGER)


@dataclass(slots=True)
class _Use:
    requests: int = 0
    turns: int = 0
    last_used_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Keyring:
    """The keys of a running server, their rates and their use."""

    def __init__(self, keys: Keys, keeper: Keeper) -> None:
        self.rates = Rates()
        self._keys = keys
        self._keeper = keeper
        self._known: dict[str, KnownKey] = {}
        self._read_at = -STALE_S
        self._reading: asyncio.Task[None] | None = None
        self._use: dict[tuple[str, date], _Use] = {}
        self._keeping_read: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def start(self) -> None:
        """Begin to read keys and to write their use; returns at once."""
        self._keeping_read = asyncio.create_task(self._keep_reading())
        self._writing = asyncio.create_task(self._keep_writing())

    async def close(self) -> None:
        """Write what is left to be written. Call it before the store is closed."""
        self._closing.set()
        for task in (self._keeping_read, self._reading):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._writing is not None:
            # Not cancelled: what is being written would be written twice, or not at all.
            await self._writing

    async def find(self, secret: str) -> KnownKey:
        """The valid key that this is.

        Raises:
            KeyRefused: if it is none.
            StoreUnavailable: if keys could not be read for too long to say.
        """
        id_ = id_of(secret)
        if id_ is None:
            raise KeyRefused("this is no key of softsell's; it begins with ssk_ and has 63 characters")
        age_s = time.monotonic() - self._read_at
        if age_s >= STALE_S or (id_ not in self._known and age_s > _LATELY_S):
            await self._refreshed()
        key = self._known.get(id_)
        if not is_key(secret, key) or key is None or not is_valid(key, datetime.now(UTC)):
            raise KeyRefused("this key is not valid: unknown, expired or revoked; ask for another")
        return key

    def still(self, id_: str) -> KnownKey:
        """A key that was found before. Raises `KeyRefused` if it has ended since, and `StoreUnavailable`."""
        self._check_age()
        key = self._known.get(id_)
        if key is None or not is_valid(key, datetime.now(UTC)):
            raise KeyRefused("this key is no longer valid: expired or revoked; ask for another")
        return key

    def charge(self, id_: str, turns: int) -> None:
        """Count turns that a key sent, before they are scored.

        Raises:
            RateLimited: if the key may not send so many now.
            KeyRefused: if it has ended since it was found; a stream ends then.
        """
        key = self.still(id_)
        self.rates.take_turns(key, turns)
        self.use(key, turns=turns)

    def use(self, key: KnownKey, *, requests: int = 0, turns: int = 0) -> None:
        """Count use, to be written later."""
        now = datetime.now(UTC)
        use = self._use.get((key.id, now.date()))
        if use is None:
            use = self._use[key.id, now.date()] = _Use()
        use.requests += requests
        use.turns += turns
        use.last_used_at = now

    def _check_age(self) -> None:
        if time.monotonic() - self._read_at >= STALE_S:
            raise StoreUnavailable("keys cannot be read from the store at present; try again later", "stale")

    async def _refreshed(self) -> None:
        """Wait until the keys have been read, by one reading for all who wait."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        await asyncio.wait([self._reading], timeout=_PATIENCE_S)
        self._check_age()

    async def _read(self) -> None:
        try:
            known = await self._keeper.run(self._keys.known)
        except StoreUnavailable:
            # The keeper has logged it.
            return
        except Exception:
            # A task that ended so would be noticed by nobody.
            logger.exception("the keys cannot be read")
            return
        self._known, self._read_at = known, time.monotonic()
        self.rates.forget_all_but(set(known))

    async def _keep_reading(self) -> None:
        while True:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            await asyncio.wait([self._reading])
            await asyncio.sleep(REFRESH_S)

    async def _keep_writing(self) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), FLUSH_EVERY_S)
            await self._flush()

    async def _flush(self) -> None:
        taken, self._use = self._use, {}
        used = [Used(id_, day, use.requests, use.turns, use.last_used_at) for (id_, day), use in taken.items()]
        if not used:
            return
        try:
            await self._keeper.run(self._keys.add, used)
        except StoreUnavailable:
            self._put_back(taken)
        except Exception:
            logger.exception("the use of keys cannot be written")
            self._put_back(taken)

    def _put_back(self, taken: dict[tuple[str, date], _Use]) -> None:
        for place, use in taken.items():
            later = self._use.setdefault(place, _Use(last_used_at=use.last_used_at))
            later.requests += use.requests
            later.turns += use.turns

"""Sends what the outbox holds to callers' webhooks, one worker a process, by the Standard Webhooks specification.

At least once, under one id: a message that was sent and could not be marked is sent again. Ten attempts over
three days, and then it waits to be asked for. It does nothing while there is no store or no webhook, and
what goes wrong with the store only makes it wait.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from standardwebhooks import Webhook

from app import __version__
from app.core.errors import StoreUnavailable
from app.jobs.posting import Answer
from app.observe import LOGGER
from app.store.delivery_queue import Attempt, DeliveryQueue, Due, Outcome

T = TypeVar("T")

# Waits before the second attempt and the later ones, as Standard Webhooks proposes.
SCHEDULE_S = (5, 5 * 60, 30 * 60, 2 * 3_600, 5 * 3_600, 10 * 3_600, 14 * 3_600, 20 * 3_600, 24 * 3_600)
MOST_ATTEMPTS = len(SCHEDULE_S) + 1
# Each wait is longer by up to this share, so that what failed together does not come back together.
JITTER = 0.1
# Longer than an attempt can take.
LEASE = timedelta(seconds=60)
# A message that cannot be signed here is left to a server that can.
_UNSIGNED_AGAIN = timedelta(minutes=5)
_STORE_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0

logger = logging.getLogger(LOGGER)


class Post(Protocol):
    """What sends a message; see `app.jobs.posting.Poster.post`."""

    async def __call__(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        """Send it."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How a worker goes about it."""

    at_once: int = 64
    at_once_a_host: int = 4
    look_every_s: float = 1.0
    # While there is no webhook.
    look_rarely_s: float = 5.0


def signed(due: Due, moment: datetime) -> dict[str, str]:
    """The headers of an attempt: one signature by each secret that is valid."""
    signatures = [Webhook(secret).sign(due.event_id, moment, due.payload) for secret in due.secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": f"softsell/{__version__}",
        "webhook-id": due.event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def next_attempt(due: Due, answer: Answer, now: datetime, spread: float) -> datetime | None:
    """When a message is sent again after an attempt; None if never. `spread` is from 0 to 1."""
    if answer.outcome in (Outcome.DELIVERED, Outcome.GONE) or due.attempts + 1 >= MOST_ATTEMPTS:
        return None
    wait_s = SCHEDULE_S[due.attempts] * (1 + JITTER * spread)
    return now + timedelta(seconds=max(wait_s, answer.retry_after_s or 0.0))


class Deliverer:
    """Belongs to the event loop it is started in; the store is asked in threads of its own."""

    def __init__(self, queue: DeliveryQueue, post: Post, count: Callable[[str, str], None], pace: Pace) -> None:
        """`count` is told the event and the outcome of each attempt."""
        self._queue = queue
        self._post = post
        self._count = count
        self._pace = pace
        # Nobody else ever has this name; a lease is called by it and the number of the claim.
        self._name = uuid.uuid4().hex
        self._claims = 0
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="webhooks")
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._sending: dict[asyncio.Task[Attempt], Due] = {}
        self._finished: list[Attempt] = []

    def start(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.create_task(self._again_and_again())

    def wake(self) -> None:
        """Say that there may be something to send."""
        self._woken.set()

    async def close(self) -> None:
        """Stop: write what has been sent, give back what is being sent. Never raises."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        self._gather()
        # A claim that is on its way comes to its end first.
        await asyncio.to_thread(self._threads.shutdown, wait=True)
        try:
            if self._finished:
                await asyncio.to_thread(self._queue.finish, self._finished)
            if self._claims:
                await asyncio.to_thread(self._queue.release_all, self._name)
        except StoreUnavailable:
            # Their leases run out, and they are sent again.
            logger.warning("webhooks: what came of the last messages could not be written")

    async def _again_and_again(self) -> None:
        pause_s = _STORE_PAUSE_S
        while True:
            started = time.monotonic()
            try:
                await self._work()
            except StoreUnavailable as error:
                logger.warning("webhooks wait for the store: %s", error, extra={"fields": {"reason": error.reason}})
            except Exception:
                # A worker that ended would leave every message, and nobody would notice.
                logger.exception("a round of the webhooks' worker failed")
            if time.monotonic() - started > _LONGEST_PAUSE_S:
                pause_s = _STORE_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _work(self) -> None:
        while True:
            self._woken.clear()
            in_use = bool(self._sending or self._finished) or await self._ask(self._queue.in_use)
            if in_use:
                await self._write()
                await self._begin()
            await self._pause(self._pace.look_every_s if in_use else self._pace.look_rarely_s)
            self._gather()

    async def _begin(self) -> None:
        room = self._pace.at_once - len(self._sending)
        if room <= 0:
            return
        self._claims += 1
        taken = Counter(due.host for due in self._sending.values())
        lease = f"{self._name}/{self._claims}"
        unsigned: list[Due] = []
        for due in await self._ask(self._queue.claim, lease, room, taken, self._pace.at_once_a_host):
            if due.secrets:
                self._sending[asyncio.create_task(self._send(due))] = due
            else:
                unsigned.append(due)
        if unsigned:
            # Sent without a signature, or with a wrong one, it would only be refused.
            logger.error("a webhook's secret was made with another key; set SOFTSELL_WEBHOOK_KEY, or rotate the secret")
            await self._ask(self._queue.release, unsigned, datetime.now(UTC) + _UNSIGNED_AGAIN)

    async def _send(self, due: Due) -> Attempt:
        attempted_at, started = datetime.now(UTC), time.monotonic()
        answer = await self._post(due.url, signed(due, attempted_at), due.payload.encode())
        now = datetime.now(UTC)
        again = next_attempt(due, answer, now, random.random())  # noqa: S311 - spreads load, keeps no secret
        held = now + timedelta(seconds=answer.retry_after_s) if answer.retry_after_s else None
        duration_ms = round((time.monotonic() - started) * 1000)
        return Attempt(due, attempted_at, duration_ms, answer.outcome, answer.status, again, held)

    def _gather(self) -> None:
        """Take what has been sent; what failed in softsell itself is left to its lease."""
        for task in [task for task in self._sending if task.done()]:
            if task.cancelled():
                continue
            due = self._sending.pop(task)
            if error := task.exception():
                logger.error("a message to a webhook could not be sent", exc_info=error)
                continue
            attempt = task.result()
            self._finished.append(attempt)
            self._count(due.event, attempt.outcome)
            fields = {"webhook": due.endpoint_id, "event": due.event, "outcome": str(attempt.outcome)}
            if attempt.outcome is Outcome.GONE:
                logger.warning("a webhook is gone and disabled", extra={"fields": fields})
            elif attempt.next_attempt_at is None and attempt.outcome is not Outcome.DELIVERED:
                logger.warning("a message to a webhook is given up", extra={"fields": fields})

    async def _write(self) -> None:
        if self._finished:
            writing = tuple(self._finished)
            await self._ask(self._queue.finish, writing)
            del self._finished[: len(writing)]

    async def _pause(self, most_s: float) -> None:
        """Until something was sent, or may have to be."""
        waiting: Coroutine[Any, Any, bool] = self._woken.wait()
        woken = asyncio.create_task(waiting)
        try:
            await asyncio.wait({woken, *self._sending}, timeout=most_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()

    async def _ask(self, work: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args))

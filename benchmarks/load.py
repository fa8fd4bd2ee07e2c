"""The load generator: a number of clients who wait for their answers, or requests that come at a fixed rate.

It runs on the cores that it measures, so it counts its own processor time. Every request that was
sent is in exactly one of the tally's counts; only answers with status 200 count as scored, and a
step of which a request got anything else has no latency.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.connection import Answer, Connection
from benchmarks.wire import Request, Session, Step

# So many texts of one side's calls are under way at once, whatever the number of clients, so that a
# server that batches always has enough to fill a batch with.
SIDE_BY_SIDE = 32
# More open requests than these are not sent but counted as `not_sent`.
MOST_OPEN = 8_000
_TIMEOUT_S = 120.0


@dataclass(slots=True)
class Tally:
    """What happened in `seconds` of load.

    `sent` and `statuses` count every request from the first moment on, the warm-up included; `turns`,
    `flops`, `latencies_s` and the refusals only what was answered in the measured time.
    """

    seconds: float
    sent: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    turns: int = 0
    flops: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    failed_steps: int = 0
    refusals_s: list[float] = field(default_factory=list)
    refusals_without_retry_after: int = 0
    not_sent: int = 0
    largest_lag_s: float = 0.0
    own_cpu_s: float = 0.0
    last: tuple[Request, Answer] | None = None

    @property
    def failures(self) -> dict[str, int]:
        """Every answer that was no score, by status."""
        return {status: count for status, count in sorted(self.statuses.items()) if status != "200"}

    def add(self, request: Request, answer: Answer, measured: bool) -> None:
        """Count one answered request."""
        self.statuses[answer.status] += 1
        if answer.ok:
            self.last = request, answer
        if not measured:
            return
        if answer.ok:
            self.turns += request.turns
            self.flops += request.flops
        elif answer.status in ("429", "503"):
            self.refusals_s.append(answer.seconds)
            self.refusals_without_retry_after += not answer.retry_after


class Supply:
    """Sessions made before they are asked for; more are made, at the generator's cost, where those run out."""

    def __init__(self, sessions: Iterator[Session], requests: int) -> None:
        self._more = sessions
        self._made: deque[Session] = deque()
        while requests > 0:
            session = next(sessions)
            requests -= sum(len(step) for step in session)
            self._made.append(session)

    def __iter__(self) -> Iterator[Session]:
        return self

    def __next__(self) -> Session:
        return self._made.popleft() if self._made else next(self._more)


class _Client:
    """Asks one conversation after the other, each step when the one before is answered."""

    def __init__(self, connections: Sequence[Connection], tally: Tally, start: float, end: float) -> None:
        self._connections = connections
        self._tally = tally
        self._start = start
        self._end = end

    async def run(self, supply: Iterator[Session]) -> None:
        while time.perf_counter() < self._end:
            for step in next(supply):
                await self._step(step)
                if time.perf_counter() >= self._end:
                    break
        for connection in self._connections:
            connection.close()

    async def _step(self, step: Step) -> None:
        began = time.perf_counter()
        waiting = deque(step)
        good, ended = True, began

        async def drain(connection: Connection) -> None:
            nonlocal good, ended
            while waiting and time.perf_counter() < self._end:
                request = waiting.popleft()
                self._tally.sent += 1
                answer = await connection.ask(request.content)
                ended = time.perf_counter()
                self._tally.add(request, answer, self._start <= ended < self._end)
                good = good and answer.ok

        if len(step) == 1:
            await drain(self._connections[0])
        else:
            await asyncio.gather(*(drain(connection) for connection in self._connections))
        if waiting or not self._start <= ended < self._end:
            return
        if good:
            self._tally.latencies_s.append(ended - began)
        else:
            self._tally.failed_steps += 1


async def closed_loop(port: int, supply: Iterator[Session], clients: int, seconds: float, warm_s: float) -> Tally:
    """`clients` at once, each waiting for its answers; the first `warm_s` seconds are not measured."""
    tally = Tally(seconds)
    start = time.perf_counter() + warm_s
    width = max(1, SIDE_BY_SIDE // clients)
    running = [
        _Client([Connection(port, _TIMEOUT_S) for _ in range(width)], tally, start, start + seconds)
        for _ in range(clients)
    ]
    work = asyncio.gather(*(client.run(supply) for client in running))
    await asyncio.sleep(warm_s)
    cpu_s = time.process_time()
    await asyncio.sleep(seconds)
    tally.own_cpu_s = time.process_time() - cpu_s
    await work
    return tally


async def ask_all(port: int, step: Step) -> tuple[float, list[Answer]]:
    """The answers to a step's requests, sent at most `SIDE_BY_SIDE` at once, and how long all took."""
    waiting = deque(step)
    answers: list[Answer] = []

    async def drain() -> None:
        connection = Connection(port, _TIMEOUT_S)
        while waiting:
            answers.append(await connection.ask(waiting.popleft().content))
        connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(drain() for _ in range(min(SIDE_BY_SIDE, len(step)))))
    return time.perf_counter() - began, answers


async def open_loop(
    port: int,
    supply: Iterator[Session],
    per_second: float,
    seconds: float,
    timeout_s: float,
    then: Callable[[], Awaitable[None]],
) -> Tally:
    """A request every 1 / `per_second` seconds, whether earlier ones are answered or not.

    A client waits `timeout_s` at most. Sessions are of steps of one request. `then` is run when the
    last request has been sent, beside those that are still unanswered.
    """
    tally = Tally(seconds)
    idle: list[Connection] = []
    open_requests: set[asyncio.Task[None]] = set()

    async def ask(request: Request) -> None:
        connection = idle.pop() if idle else Connection(port, timeout_s)
        answer = await connection.ask(request.content)
        tally.add(request, answer, time.perf_counter() < start + seconds)
        if answer.ok:
            tally.latencies_s.append(answer.seconds)
        else:
            tally.failed_steps += 1
        idle.append(connection)

    cpu_s = time.process_time()
    start = time.perf_counter()
    requests = (request for session in supply for (request,) in session)
    for number in range(int(per_second * seconds)):
        lag_s = time.perf_counter() - start - number / per_second
        tally.largest_lag_s = max(tally.largest_lag_s, lag_s)
        # A turn of the event loop even when late, or no answer would be read.
        await asyncio.sleep(max(-lag_s, 0))
        if len(open_requests) >= MOST_OPEN:
            tally.not_sent += 1
            continue
        tally.sent += 1
        task = asyncio.create_task(ask(next(requests)))
        open_requests.add(task)
        task.add_done_callback(open_requests.discard)
    tally.own_cpu_s = time.process_time() - cpu_s
    await then()
    if open_requests:
        await asyncio.wait(open_requests)
    for connection in idle:
        connection.close()
    return tally

"""The load generator loses no request, and takes nothing for a score that is none."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

from benchmarks.load import Supply, Tally, ask_all, closed_loop, open_loop
from benchmarks.wire import Request, Session, post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
RUDE = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
# The connection ends in place of an answer.
CUT = b""


class Scripted:
    """A server that gives answers in turn, over and over, and counts the requests."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = answers
        self.asked = 0
        self.given: Counter[bytes] = Counter()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))
                answer = self._answers[self.asked % len(self._answers)]
                self.asked += 1
                self.given[answer] += 1
                await asyncio.sleep(0.002)
                writer.write(answer)
                if not answer or b"Connection: close" in answer:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(script: Scripted) -> AsyncIterator[int]:
    server = await asyncio.start_server(script, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def endless(requests_a_step: int, turns: int = 3) -> Iterator[Session]:
    while True:
        yield [tuple(Request(post("/", {}), turns, 1.0) for _ in range(requests_a_step))]


def loaded(script: Scripted, run: Callable[[int], Awaitable[Tally]]) -> Tally:
    async def measure() -> Tally:
        async with listening(script) as port:
            return await run(port)

    return asyncio.run(measure())


def test_every_request_is_counted_once() -> None:
    script = Scripted(OK, CHUNKED, BUSY, OK, RUDE, CUT)
    tally = loaded(script, lambda port: closed_loop(port, Supply(endless(1), 20), 3, 0.4, 0.1))
    assert tally.sent == script.asked == sum(tally.statuses.values())
    assert tally.statuses["200"] == script.given[OK] + script.given[CHUNKED]
    assert tally.statuses["503"] == script.given[BUSY] + script.given[RUDE]
    assert tally.statuses["connection"] == script.given[CUT]
    assert tally.failures == {"503": tally.statuses["503"], "connection": tally.statuses["connection"]}


def test_only_scores_within_the_time_count_as_turns() -> None:
    tally = loaded(Scripted(OK), lambda port: closed_loop(port, endless(1), 2, 0.3, 0.3))
    assert tally.turns == 3 * len(tally.latencies_s)
    assert 0 < tally.turns < 3 * tally.statuses["200"]


def test_an_error_is_neither_turns_nor_latency() -> None:
    tally = loaded(Scripted(RUDE), lambda port: closed_loop(port, endless(1), 2, 0.2, 0.05))
    assert (tally.turns, tally.latencies_s) == (0, [])
    assert tally.failed_steps == len(tally.refusals_s) == tally.refusals_without_retry_after > 0


def test_a_call_is_answered_when_all_its_turns_are() -> None:
    tally = loaded(Scripted(OK, OK, RUDE), lambda port: closed_loop(port, endless(3), 1, 0.3, 0.05))
    assert tally.failed_steps > 0
    assert tally.latencies_s == []


def test_a_fixed_rate_does_not_wait_for_answers() -> None:
    async def nothing() -> None:
        pass

    script = Scripted(OK, BUSY)
    tally = loaded(script, lambda port: open_loop(port, endless(1), 100, 0.5, 5.0, nothing))
    assert tally.sent + tally.not_sent == 50
    assert tally.sent == script.asked == sum(tally.statuses.values())
    assert tally.refusals_without_retry_after == 0


def test_a_step_is_asked_whole() -> None:
    async def measure() -> list[str]:
        async with listening(Scripted(OK, RUDE)) as port:
            _, answers = await ask_all(port, next(endless(40))[0])
            return [answer.status for answer in answers]

    assert Counter(asyncio.run(measure())) == {"200": 20, "503": 20}


def test_who_does_not_listen_is_no_score() -> None:
    script = Scripted(OK)

    async def gone() -> Tally:
        async with listening(script) as port:
            pass
        return await closed_loop(port, endless(1), 1, 0.1, 0.0)

    tally = asyncio.run(gone())
    assert tally.turns == 0
    assert set(tally.statuses) == {"connection"}
    assert tally.sent == tally.statuses["connection"]

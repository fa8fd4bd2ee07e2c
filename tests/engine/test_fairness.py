"""In a lane that many want, whoever sends much waits for their own, and others do not."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from app.core.conversation import Conversation, Role, Turn
from app.core.errors import Overloaded
from app.engine.batcher import Batcher
from app.engine.limits import Limits

HELLO = Conversation(turns=(Turn("0", Role.AGENT, "Hello!"),))


class Held:
    """Scores nothing until it is let go, and notes in which order it was asked."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.go = threading.Event()

    def score(self, conversation: Conversation, *, scope: str = "", **_: Any) -> Any:
        assert self.go.wait(30)
        self.order.append(scope)
        return None

    def prepare(self, conversation: Conversation, *, scope: str) -> None:
        raise AssertionError("nothing goes on here")


def run(work: Callable[[Held, Batcher], Coroutine[Any, Any, None]], max_waiting: int = 8) -> None:
    async def whole() -> None:
        held = Held()
        front = Batcher(held, Limits(max_waiting=max_waiting), workers=1)
        try:
            await work(held, front)
        finally:
            held.go.set()
            await front.close()

    asyncio.run(asyncio.wait_for(whole(), 30))


async def sent(front: Batcher, scope: str, count: int) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(front.score(HELLO, scope=scope)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def refusals(tasks: list[asyncio.Task[Any]]) -> int:
    return sum(isinstance(done, Overloaded) for done in await asyncio.gather(*tasks, return_exceptions=True))


def test_scopes_take_turns() -> None:
    async def work(held: Held, front: Batcher) -> None:
        tasks = await sent(front, "flood", 5) + await sent(front, "one", 1) + await sent(front, "two", 2)
        held.go.set()
        await asyncio.gather(*tasks)
        assert held.order == ["flood", "one", "two", "flood", "two", "flood", "flood", "flood"]

    run(work)


def test_a_full_lane_gives_way_to_whoever_has_less() -> None:
    async def work(held: Held, front: Batcher) -> None:
        flood = await sent(front, "flood", 20)
        one = await sent(front, "one", 1)
        two = await sent(front, "two", 20)
        held.go.set()
        assert await refusals(one) == 0
        # A flood refused a flood, until both had about as much.
        held_by = {"flood": 20 - await refusals(flood), "two": 20 - await refusals(two)}
        assert sum(held_by.values()) == 7
        assert abs(held_by["flood"] - held_by["two"]) <= 1
        assert Counter(held.order) == Counter(held_by | {"one": 1})

    run(work)


def test_alone_it_may_have_all_of_it() -> None:
    async def work(held: Held, front: Batcher) -> None:
        flood = await sent(front, "flood", 9)
        held.go.set()
        assert await refusals(flood) == 1

    run(work)


def test_what_runs_is_not_taken_away() -> None:
    async def work(held: Held, front: Batcher) -> None:
        flood = await sent(front, "flood", 1)
        with pytest.raises(Overloaded):
            await front.score(HELLO, scope="one")
        held.go.set()
        assert await refusals(flood) == 0

    run(work, max_waiting=1)

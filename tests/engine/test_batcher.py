"""Every waiter gets an answer, whatever the model does."""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from app.core.classifier import Memory, Output, Window
from app.core.conversation import Conversation, Role, Turn
from app.core.errors import DeadlineExceeded, InvalidConversation, ModelFailed, Overloaded
from app.core.scores import ConversationScore
from app.engine.batcher import Batcher
from app.engine.limits import Limits
from app.engine.scorer import Scorer
from app.model.stub import StubClassifier, stub_calibration

HELLO = Conversation((Turn("0", Role.AGENT, "hello"),))
# As many windows of work as turns: each fills a chunk.
LONG = Conversation(tuple(Turn(str(i), Role.AGENT, "word " * 250) for i in range(15)))


class Forwards(StubClassifier):
    """A stub whose forward first calls `act` with the number of the call, from 1 on."""

    def __init__(self, act: Callable[[int], object]) -> None:
        self._act = act
        self._lock = threading.Lock()
        self.calls = 0

    def forward(self, window: Window, memory: Memory | None = None) -> Output:
        with self._lock:
            self.calls += 1
            call = self.calls
        self._act(call)
        return super().forward(window, memory)


def batcher(act: Callable[[int], object] = lambda _: None, workers: int = 2, **limits: Any) -> Batcher:
    return Batcher(Scorer(Forwards(act), stub_calibration()), Limits(**limits), workers)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_scores_as_the_scorer_does() -> None:
    async def work() -> None:
        front = batcher()
        direct = Scorer(StubClassifier(), stub_calibration()).score(HELLO)
        assert await front.score(HELLO) == direct
        assert await front.close()

    run(work())


def test_every_tenth_forward_raises_and_the_others_are_not_touched() -> None:
    failures: list[int] = []

    def act(call: int) -> None:
        if call % 10 == 0:
            raise RuntimeError("tensor of secrets")

    async def work() -> None:
        front = Batcher(
            Scorer(Forwards(act), stub_calibration()), Limits(max_waiting=200), 2, lambda: failures.append(1)
        )
        results = await asyncio.gather(*(front.score(HELLO) for _ in range(100)), return_exceptions=True)
        failed = [result for result in results if isinstance(result, ModelFailed)]
        assert len(failed) == len(failures) == 10
        assert sum(isinstance(result, ConversationScore) for result in results) == 90
        assert not any("secrets" in str(error) for error in failed)
        assert front.waiting == front.running == 0
        await front.close()

    run(work())


def test_anything_that_escapes_the_scorer_is_a_model_failure() -> None:
    class Broken:
        def score(self, *_: Any, **__: Any) -> ConversationScore:
            raise SystemExit("secret")

    async def work() -> None:
        front = Batcher(Broken(), Limits(), 1)
        with pytest.raises(ModelFailed, match="SystemExit") as caught:
            await front.score(HELLO)
        assert "secret" not in str(caught.value)
        assert front.running == 0
        await front.close()

    run(work())


def test_three_failures_in_a_row_are_unhealthy_and_a_success_heals() -> None:
    broken = True

    def act(_: int) -> None:
        if broken:
            raise RuntimeError

    async def work() -> None:
        nonlocal broken
        front = batcher(act)
        for failures in range(1, 4):
            with pytest.raises(ModelFailed):
                await front.score(HELLO)
            assert front.health.healthy is (failures < 3)
        broken = False
        await front.score(HELLO)
        assert front.health.healthy
        assert math.isfinite(front.health.last_success_s)
        await front.close()

    run(work())


def test_a_callers_own_mistake_is_no_failure_of_the_model() -> None:
    async def work() -> None:
        front = batcher()
        for _ in range(5):
            with pytest.raises(InvalidConversation):
                await front.score(Conversation(()))
        assert front.health.healthy
        assert front.health.failures_in_row == 0
        await front.close()

    run(work())


def test_over_the_limit_is_refused_at_once_with_a_time_to_wait() -> None:
    release = threading.Event()

    async def work() -> None:
        front = batcher(lambda _: release.wait(10), workers=1, max_waiting=4)
        here = [asyncio.create_task(front.score(HELLO)) for _ in range(4)]
        await until(lambda: (front.running, front.waiting) == (1, 3))
        took_s = []
        for _ in range(5):
            started = time.monotonic()
            with pytest.raises(Overloaded) as caught:
                await front.score(HELLO)
            took_s.append(time.monotonic() - started)
        assert min(took_s) < 0.1
        assert 1 <= caught.value.retry_after_s <= 60
        release.set()
        assert all(isinstance(score, ConversationScore) for score in await asyncio.gather(*here))
        await front.score(HELLO)
        await front.close()

    run(work())


def test_a_hanging_forward_ends_at_the_deadline_for_all_who_wait() -> None:
    release = threading.Event()

    async def work() -> None:
        front = batcher(lambda _: release.wait(15), workers=1, deadline_s=0.3)
        started = time.monotonic()
        results = await asyncio.gather(*(front.score(HELLO) for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [DeadlineExceeded] * 3
        assert 0.25 < time.monotonic() - started < 10
        assert front.waiting == 0
        # The thread is still in there: no success can be expected, and only a restart would help.
        assert front.running == 1
        await until(lambda: front.health.stuck)
        assert not front.health.healthy
        release.set()
        await until(lambda: front.running == 0)
        await front.score(HELLO)
        assert front.health.healthy
        await front.close()

    run(work())


def test_late_work_stops_between_two_windows() -> None:
    async def work() -> None:
        classifier = Forwards(lambda _: time.sleep(0.2))
        front = Batcher(Scorer(classifier, stub_calibration()), Limits(deadline_s=1.5), 1)
        with pytest.raises(DeadlineExceeded):
            await front.score(LONG)
        await until(lambda: front.running == 0)
        assert 1 < classifier.calls < len(LONG.turns)
        # It was late, not broken: the windows that it did show a working model.
        assert front.health.healthy
        assert math.isfinite(front.health.last_success_s)
        await front.close()

    run(work())


def test_a_caller_who_leaves_takes_the_work_along() -> None:
    async def work() -> None:
        classifier = Forwards(lambda _: time.sleep(0.1))
        front = Batcher(Scorer(classifier, stub_calibration()), Limits(), 1)
        running = asyncio.create_task(front.score(LONG))
        waiting = asyncio.create_task(front.score(LONG))
        await until(lambda: classifier.calls > 0 and front.waiting == 1)
        waiting.cancel()
        await until(lambda: front.waiting == 0)
        running.cancel()
        assert all(
            isinstance(r, asyncio.CancelledError)
            for r in await asyncio.gather(running, waiting, return_exceptions=True)
        )
        await until(lambda: front.running == 0)
        calls = classifier.calls
        assert calls < len(LONG.turns)
        await asyncio.sleep(0.3)
        assert classifier.calls == calls
        await front.score(HELLO)
        await front.close()

    run(work())


def test_closing_drains_what_is_here_and_refuses_what_comes() -> None:
    async def work() -> None:
        front = batcher(lambda _: time.sleep(0.05), workers=1)
        here = [asyncio.create_task(front.score(HELLO)) for _ in range(5)]
        await asyncio.sleep(0.01)
        closing = asyncio.create_task(front.close())
        await asyncio.sleep(0.01)
        with pytest.raises(Overloaded, match="shutting down"):
            await front.score(HELLO)
        assert all(isinstance(score, ConversationScore) for score in await asyncio.gather(*here))
        assert await closing is True

    run(work())


def test_closing_answers_those_it_cannot_wait_for() -> None:
    release = threading.Event()

    async def work() -> None:
        front = batcher(lambda _: release.wait(15), workers=1)
        here = [asyncio.create_task(front.score(HELLO)) for _ in range(3)]
        await until(lambda: front.running == 1)
        assert await front.close(drain_s=0.1) is False
        assert [type(r) for r in await asyncio.gather(*here, return_exceptions=True)] == [Overloaded] * 3
        release.set()

    run(work())


def test_books_balance_after_a_storm_of_impatient_callers() -> None:
    def act(call: int) -> None:
        time.sleep(0.001)
        if call % 7 == 0:
            raise RuntimeError

    async def work() -> None:
        front = batcher(act, workers=2, max_waiting=8, deadline_s=1)
        tasks = []
        for number in range(300):
            tasks.append(asyncio.create_task(front.score(HELLO)))
            if number % 3 == 0:
                tasks[number // 2].cancel()
            await asyncio.sleep(0.0005)
        kinds = {type(r) for r in await asyncio.gather(*tasks, return_exceptions=True)}
        assert kinds <= {ConversationScore, ModelFailed, Overloaded, DeadlineExceeded, asyncio.CancelledError}
        assert {ConversationScore, ModelFailed} <= kinds
        await until(lambda: front.waiting == front.running == 0)
        await front.close()

    run(work())


def test_batch_work_leaves_the_live_lane_free() -> None:
    release = threading.Event()
    niceness: dict[str, int] = {}

    def act(_: int) -> None:
        name = threading.current_thread().name
        niceness[name] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        if name.startswith("batch"):
            release.wait(10)

    async def work() -> None:
        front = batcher(act, workers=2, max_waiting=4, deadline_s=0.2)
        batch = [asyncio.create_task(front.score(HELLO, batch=True)) for _ in range(4)]
        await until(lambda: front.running == 2)
        with pytest.raises(Overloaded):
            await front.score(HELLO, batch=True)
        # Every worker of the batch lane is busy, and live work does not notice.
        for _ in range(3):
            await front.score(HELLO)
        await asyncio.sleep(0.3)
        assert front.health.healthy
        release.set()
        # It waited for longer than live work may, and is done all the same.
        assert all(isinstance(score, ConversationScore) for score in await asyncio.gather(*batch))
        await front.close()
        live, later = (max(v for k, v in niceness.items() if k.startswith(lane)) for lane in ("score", "batch"))
        assert later == min(live + 10, 19)

    run(work())

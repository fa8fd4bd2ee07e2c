"""A worker goes on until every item has a result, whatever the store does meanwhile."""

from __future__ import annotations

import asyncio
import os
import tracemalloc
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from app.core.errors import StoreUnavailable
from app.jobs.files import ResultFiles
from app.jobs.presence import Presence
from app.jobs.worker import Later, Pace, Worker
from app.store.batch_queue import BatchQueue, Claimed, Finished, ItemKey
from app.store.batches import Batches, NewItem
from app.store.conversations import Conversations
from app.store.database import Database

DAY = timedelta(days=1)
Score = Callable[[Claimed], Awaitable[Finished]]


class Shop:
    """A store with a batch, and workers for it."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.batches = Batches(database, DAY, DAY)
        self.queue = BatchQueue(self.batches, Conversations(database, DAY, DAY), timedelta(minutes=1))
        self.files = ResultFiles(folder / "batches", self.batches, {})

    def send(self, count: int) -> str:
        batch_id, _ = self.batches.begin("local", {}, None)
        for first in range(0, count, 500):
            items = [NewItem(number, f"c-{number}", b"words" * 20) for number in range(first, min(first + 500, count))]
            self.batches.add(batch_id, items, lambda item: b"again")
        self.batches.received(batch_id, "sha")
        return batch_id

    def worker(self, score: Score, **pace: float) -> Worker:
        settings = {"at_once": 4, "group": 16, "write_after_s": 0.05, "idle_s": 0.05, "look_after_s": 0.05, **pace}
        return Worker(self.queue, self.files, Presence(self.folder / "workers"), score, Pace(**settings))  # type: ignore[arg-type]

    def status(self, batch_id: str) -> str:
        batch = self.batches.get("local", batch_id)
        assert batch is not None
        return batch.status

    async def completed(self, batch_id: str) -> None:
        async with asyncio.timeout(120):
            while self.status(batch_id) != "completed":
                await asyncio.sleep(0.02)

    def results(self, batch_id: str) -> list[bytes]:
        return self.files.get(batch_id, "results", "jsonl").path.read_bytes().splitlines()


@pytest.fixture
def shop(tmp_path: Path, database: Database) -> Shop:
    return Shop(tmp_path, database)


def line(item: Claimed) -> bytes:
    return b'{"line": %d}' % item.key.ordinal


async def scored(item: Claimed) -> Finished:
    await asyncio.sleep(0)
    return Finished(item, line(item))


def run(shop: Shop, batch_id: str, *workers: Worker) -> None:
    async def work() -> None:
        for worker in workers:
            worker.start()
        await shop.completed(batch_id)
        await asyncio.gather(*(worker.close() for worker in workers))

    asyncio.run(work())


def in_order(count: int) -> list[bytes]:
    return [b'{"line": %d}' % number for number in range(count)]


def test_all_is_scored_and_written_in_groups(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    finish = shop.queue.finish
    monkeypatch.setattr(shop.queue, "finish", lambda finished: groups.append(len(finished)) or finish(finished))
    batch_id = shop.send(100)
    run(shop, batch_id, shop.worker(scored))
    assert shop.results(batch_id) == in_order(100)
    assert sum(groups) == 100
    assert len(groups) < 30
    assert list((shop.folder / "workers").iterdir()) == []


def test_two_workers_share_a_batch(shop: Shop) -> None:
    by: list[str] = []

    async def slowly(item: Claimed) -> Finished:
        by.append(item.lease.partition("/")[0])
        await asyncio.sleep(0.005)
        return Finished(item, line(item))

    batch_id = shop.send(120)
    run(shop, batch_id, shop.worker(slowly), shop.worker(slowly))
    assert shop.results(batch_id) == in_order(120)
    assert len(by) == 120
    assert len(set(by)) == 2


@pytest.mark.parametrize("method", ["claim", "finish", "look_after"])
def test_it_goes_on_when_the_store_is_back(shop: Shop, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    failures = 2
    work = getattr(shop.queue, method)

    def fails_at_first(*given: object) -> object:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise StoreUnavailable("the disk of the store is full", "full")
        return work(*given)

    monkeypatch.setattr(shop.queue, method, fails_at_first)
    batch_id = shop.send(40)
    run(shop, batch_id, shop.worker(scored))
    assert failures < 0
    assert shop.results(batch_id) == in_order(40)


def test_what_cannot_be_scored_now_is_scored_later(shop: Shop) -> None:
    refused: set[int] = set()

    async def at_second_try(item: Claimed) -> Finished:
        if item.key.ordinal not in refused:
            refused.add(item.key.ordinal)
            raise Later("the model is being loaded")
        return Finished(item, line(item))

    batch_id = shop.send(20)
    run(shop, batch_id, shop.worker(at_second_try))
    assert shop.results(batch_id) == in_order(20)


def test_a_worker_that_stops_gives_back_what_it_holds(shop: Shop) -> None:
    begun: list[ItemKey] = []

    async def never(item: Claimed) -> Finished:
        begun.append(item.key)
        await asyncio.Event().wait()
        raise AssertionError

    async def stopped() -> None:
        worker = shop.worker(never)
        worker.start()
        async with asyncio.timeout(30):
            while not begun:
                await asyncio.sleep(0.01)
        await worker.close()

    batch_id = shop.send(30)
    asyncio.run(stopped())
    # At once, and not as items with which a process ended.
    claimed = shop.queue.claim("w/1", 50, "")
    assert (len(claimed), {item.attempts for item in claimed}) == (30, {0})
    shop.queue.release(claimed)
    run(shop, batch_id, shop.worker(scored))
    assert shop.results(batch_id) == in_order(30)


def test_memory_does_not_grow_with_the_batch(tmp_path: Path) -> None:
    shop = Shop(tmp_path, Database(f"sqlite:///{tmp_path / 'softsell.db'}"))
    batch_id = shop.send(10_000)
    worker = shop.worker(scored, group=64, at_once=8)

    async def work() -> list[int]:
        worker.start()
        peaks: list[int] = []
        done = 0
        while done < 10_000:
            await asyncio.sleep(0.05)
            batch = shop.batches.get("local", batch_id)
            assert batch is not None
            if batch.done >= done + 2_000 or batch.done == 10_000:
                done = batch.done
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.reset_peak()
        await worker.close()
        return peaks

    tracemalloc.start()
    try:
        peaks = asyncio.run(work())
    finally:
        tracemalloc.stop()
    assert peaks[-1] < peaks[0] + 1_000_000, peaks


def test_who_has_ended_is_told_from_who_lives(tmp_path: Path) -> None:
    alive, dead, mine = Presence(tmp_path), Presence(tmp_path), Presence(tmp_path)
    keys = [ItemKey("batch_1", 7), ItemKey("batch_2", 12345)]
    dead.note(keys)
    dead.note(keys[:1])
    # As the system does when a process ends.
    dead._file, descriptor = None, dead._file
    assert descriptor is not None

    os.close(descriptor)
    assert list(mine.ended()) == [(dead.worker, keys[:1])]
    assert list(mine.ended()) == []
    alive.close()
    mine.close()
    assert list(tmp_path.iterdir()) == []

"""Items are claimed by one worker at a time, and each ends with exactly one result."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.store.batch_queue import BatchQueue, Claimed, Finished, ItemKey
from app.store.batches import Batches, NewItem
from app.store.conversations import Conversations
from app.store.database import Database
from app.store.tables import Batch, BatchItem
from tests.store.stored import stored

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def batches(database: Database) -> Batches:
    return Batches(database, window=DAY, retention=30 * DAY)


@pytest.fixture
def conversations(database: Database) -> Conversations:
    return Conversations(database, 30 * DAY, 30 * DAY)


@pytest.fixture
def queue(batches: Batches, conversations: Conversations) -> BatchQueue:
    return BatchQueue(batches, conversations, lease=HOUR)


def batch_of(batches: Batches, count: int, tenant: str = "local") -> str:
    batch_id, _ = batches.begin(tenant, {}, None)
    items = [NewItem(number, f"c-{number}", b"words") for number in range(count)]
    batches.add(batch_id, items, lambda item: b"again")
    batches.received(batch_id, "sha")
    return batch_id


def done(claimed: list[Claimed], code: str | None = None) -> list[Finished]:
    return [Finished(item, b"line %d" % item.key.ordinal, code) for item in claimed]


def item(database: Database, key: ItemKey) -> BatchItem:
    with database.read() as session:
        return session.get_one(BatchItem, tuple(key))


def state(batches: Batches, batch_id: str) -> tuple[str, int, int, int]:
    batch = batches.get("local", batch_id)
    assert batch is not None
    return batch.status, batch.done, batch.failed, batch.cancelled


def lapse(database: Database) -> None:
    """As if every lease had run out."""
    with database.write() as session:
        for row in session.scalars(select(BatchItem).where(BatchItem.lease_expires_at.is_not(None))):
            assert row.lease_expires_at is not None
            row.lease_expires_at -= 2 * HOUR


def test_what_is_finished_is_written_once_and_its_input_is_erased(
    database: Database, batches: Batches, queue: BatchQueue
) -> None:
    batch_id = batch_of(batches, 3)
    claimed = queue.claim("w/1", 10, "")
    assert [(each.key.ordinal, each.custom_id, each.input) for each in claimed] == [
        (number, f"c-{number}", b"words") for number in range(3)
    ]
    assert queue.claim("v/1", 10, "") == []
    assert queue.finish([*done(claimed[:2]), *done(claimed[2:], "invalid_request")]) == 3
    assert queue.finish(done(claimed)) == 0
    assert state(batches, batch_id) == ("in_progress", 2, 1, 0)
    for each in claimed:
        assert item(database, each.key).input is None
    assert [line.result for line in batches.lines(batch_id, failed=False)] == [b"line 0", b"line 1"]
    assert [line.error_code for line in batches.lines(batch_id, failed=True)] == ["invalid_request"]
    (ended,) = queue.look_after()
    queue.finalised(ended)
    assert state(batches, batch_id)[0] == "completed"
    assert queue.look_after() == []


def test_who_lost_a_lease_writes_nothing(database: Database, batches: Batches, queue: BatchQueue) -> None:
    batch_of(batches, 1)
    slow = queue.claim("slow/1", 10, "")
    lapse(database)
    queue.look_after()
    quick = queue.claim("quick/1", 10, "")
    assert [each.key for each in quick] == [each.key for each in slow]
    assert queue.finish(done(slow)) == 0
    assert queue.finish([Finished(quick[0], b"quick")]) == 1
    assert item(database, quick[0].key).result == b"quick"


def test_a_lease_that_is_renewed_holds(database: Database, batches: Batches, queue: BatchQueue) -> None:
    batch_of(batches, 1)
    claimed = queue.claim("w/1", 10, "")
    lapse(database)
    queue.renew(["w/1"])
    queue.look_after()
    assert queue.finish(done(claimed)) == 1


def test_many_workers_never_claim_the_same(batches: Batches, queue: BatchQueue) -> None:
    for _ in range(2):
        batch_of(batches, 60)

    def work(worker: int) -> list[ItemKey]:
        found: list[ItemKey] = []
        while claimed := queue.claim(f"w{worker}/1", 7, ""):
            assert queue.finish(done(claimed)) == len(claimed)
            found += [each.key for each in claimed]
        return found

    with ThreadPoolExecutor(4) as pool:
        found = [key for keys in pool.map(work, range(4)) for key in keys]
    assert len(found) == len(set(found))
    # One that found all that was left locked by others has stopped; nothing is lost by that.
    found += work(9)
    assert sorted(set(found)) == sorted(found)
    assert len(found) == 120


def test_batches_take_turns(batches: Batches, queue: BatchQueue) -> None:
    first, second = sorted(batch_of(batches, 4) for _ in range(2))
    claims = []
    last = ""
    for number in range(4):
        claimed = queue.claim(f"w/{number}", 2, last)
        last = claimed[0].key.batch_id
        claims.append(last)
    assert claims == [first, second, first, second]


def test_what_a_dead_worker_scored_is_tried_last_and_alone_and_thrice_at_most(
    database: Database, batches: Batches, queue: BatchQueue
) -> None:
    batch_id = batch_of(batches, 3)
    bad = ItemKey(batch_id, 1)
    assert len(queue.claim("a/1", 10, "")) == 3
    assert queue.take_back("a", [bad]) == 3
    claimed = queue.claim("b/1", 10, "")
    assert [each.key.ordinal for each in claimed] == [0, 2]
    queue.finish(done(claimed))
    for worker in ("c", "d"):
        (alone,) = queue.claim(f"{worker}/1", 10, "")
        assert alone.key == bad
        assert queue.take_back(worker, [bad]) == 1
    assert queue.claim("e/1", 10, "") == []
    assert [batch.id for batch in queue.look_after()] == [batch_id]
    assert item(database, bad).error_code == "worker_ended"
    assert item(database, bad).input is None
    assert state(batches, batch_id) == ("finalizing", 2, 1, 0)


def test_taking_back_leaves_other_workers_alone(batches: Batches, queue: BatchQueue) -> None:
    batch_of(batches, 4)
    theirs = queue.claim("a/1", 2, "")
    ours = queue.claim("ab/1", 2, "")
    assert queue.take_back("a", []) == 2
    assert queue.finish(done(theirs)) == 0
    assert queue.finish(done(ours)) == 2


def test_a_cancelled_batch_ends_with_what_is_done(batches: Batches, queue: BatchQueue) -> None:
    batch_id = batch_of(batches, 5)
    first = queue.claim("w/1", 2, "")
    queue.finish(done(first[:1]))
    assert batches.cancel("other", batch_id) is None
    assert batches.cancel("local", batch_id) is not None
    assert queue.claim("w/2", 10, "") == []
    assert queue.look_after() == []
    # What was being scored counts.
    queue.finish(done(first[1:]))
    (ended,) = queue.look_after()
    queue.finalised(ended)
    assert state(batches, batch_id) == ("cancelled", 2, 0, 3)
    assert [line.error_code for line in batches.lines(batch_id, failed=True)] == ["batch_cancelled"] * 3


def test_a_batch_that_is_out_of_time_expires(database: Database, conversations: Conversations) -> None:
    batches = Batches(database, window=timedelta(0), retention=DAY)
    queue = BatchQueue(batches, conversations, HOUR)
    batch_id = batch_of(batches, 2)
    (ended,) = queue.look_after()
    queue.finalised(ended)
    assert state(batches, batch_id) == ("expired", 0, 0, 2)


def test_a_batch_is_deleted_when_its_time_is_over(database: Database, conversations: Conversations) -> None:
    batches = Batches(database, window=timedelta(0), retention=timedelta(0))
    queue = BatchQueue(batches, conversations, HOUR)
    batch_id = batch_of(batches, 2)
    kept = Batches(database, DAY, DAY)
    other = batch_of(kept, 1)
    for ended in queue.look_after():
        queue.finalised(ended)
    assert batches.purge() == [batch_id]
    assert batches.existing([batch_id, other]) == {other}
    with database.read() as session:
        assert {row.batch_id for row in session.scalars(select(BatchItem))} == {other}


def test_a_result_that_is_to_be_stored_is_stored_with_it(
    batches: Batches, queue: BatchQueue, conversations: Conversations
) -> None:
    batch_of(batches, 2)
    first, second = queue.claim("w/1", 2, "")
    queue.finish([Finished(first, b"1", None, stored("c-1")), Finished(second, b"2", None, stored("c-1", risk=0.75))])
    found = conversations.get("local", "c-1")
    assert found is not None
    assert found.risk == 0.75
    assert queue.finish([Finished(first, b"1", None, stored("c-2"))]) == 0
    assert conversations.get("local", "c-2") is None


def test_a_second_item_of_one_custom_id_is_an_error(batches: Batches, queue: BatchQueue) -> None:
    batch_id, _ = batches.begin("local", {}, None)
    twice = [NewItem(1, "a", b"first"), NewItem(2, "a", b"second"), NewItem(3, None, None, b"no id", "invalid")]
    assert batches.add(batch_id, twice, lambda item: b"again %d" % item.ordinal) == 2
    assert batches.add(batch_id, [NewItem(4, "a", b"third")], lambda item: b"again %d" % item.ordinal) == 1
    batches.received(batch_id, "sha")
    assert [each.input for each in queue.claim("w/1", 10, "")] == [b"first"]
    lines = [line for line in batches.lines(batch_id, failed=True) if line.result]
    assert [(line.ordinal, line.result) for line in lines] == [(2, b"again 2"), (3, b"no id"), (4, b"again 4")]


def test_a_key_is_one_batch_of_a_tenant(database: Database, batches: Batches) -> None:
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: batches.begin("local", {}, "k"), range(20)))
    assert len({batch_id for batch_id, _ in begun}) == 1
    assert sum(is_new for _, is_new in begun) == 1
    assert batches.begin("other", {}, "k")[1] is True
    # Its sender has gone before it was whole.
    with database.write() as session:
        for batch in session.scalars(select(Batch)):
            assert batch.lease_expires_at is not None
            batch.lease_expires_at -= HOUR
    assert batches.begin("local", {}, "k")[1] is True


def test_one_tenant_does_not_see_anothers(batches: Batches) -> None:
    mine, theirs = batch_of(batches, 1), batch_of(batches, 1, "other")
    assert batches.get("local", theirs) is None
    assert [batch.id for batch in batches.page("local", None, 10)] == [mine]

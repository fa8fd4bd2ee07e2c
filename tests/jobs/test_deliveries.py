"""Messages arrive signed, at least once and under one id, whatever receivers and processes do meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from standardwebhooks import WebhookVerificationError

from app.core.errors import StoreUnavailable
from app.jobs.deliveries import LEASE, MOST_ATTEMPTS, SCHEDULE_S, Deliverer, Pace, next_attempt, signed
from app.jobs.destinations import Destinations
from app.jobs.posting import WHOLE_S, Answer, Poster, wait_s
from app.store.database import Database
from app.store.delivery_queue import Attempt, DeliveryQueue, Due, Outcome
from app.store.outbox import Event, announce
from app.store.tables import OutboxMessage, WebhookEndpoint
from app.store.webhook_secrets import WebhookSecrets
from app.store.webhooks import NewWebhook, Webhooks
from tests.receiving import Receiver, numeric, receiving, status

TENANT = "local"


class Shop:
    """A store with webhooks, and workers for it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.secrets = WebhookSecrets(folder / "webhook.key", None)
        self.webhooks = Webhooks(database, self.secrets, 100)
        self.queue = DeliveryQueue(database, self.secrets, LEASE)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.hosts: list[str] = []

    def webhook(self, receiver: Receiver) -> NewWebhook:
        self.hosts.append(receiver.host)
        return self.webhooks.create(TENANT, receiver.url, [Event.BATCH_COMPLETED], enabled=True)

    def announce(self, count: int = 1) -> None:
        with self.database.write() as session:
            announce(session, TENANT, Event.BATCH_COMPLETED, *({"batch_id": str(number)} for number in range(count)))

    def deliverer(self, queue: DeliveryQueue | None = None, **pace: Any) -> Deliverer:
        def count(event: str, outcome: str) -> None:
            self.counts[event, outcome] += 1

        post = Poster(Destinations(self.hosts), numeric).post
        return Deliverer(
            queue or self.queue, post, count, Pace(**{"look_every_s": 0.02, "look_rarely_s": 0.02, **pace})
        )

    @asynccontextmanager
    async def delivering(self, queue: DeliveryQueue | None = None, **pace: Any) -> AsyncIterator[Deliverer]:
        deliverer = self.deliverer(queue, **pace)
        deliverer.start()
        try:
            yield deliverer
        finally:
            await deliverer.close()

    def deliver_until(self, condition: Callable[[], bool], **pace: Any) -> None:
        async def run() -> None:
            async with self.delivering(**pace):
                await until(condition)

        asyncio.run(run())

    def messages(self) -> list[OutboxMessage]:
        with self.database.read() as session:
            return list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.row)))

    def endpoint(self, new: NewWebhook) -> WebhookEndpoint:
        found = self.webhooks.get(TENANT, new.endpoint.id)
        assert found is not None
        return found

    def delivered(self) -> int:
        return sum(each.delivered_at is not None for each in self.messages())

    def settled(self) -> bool:
        return all(each.next_attempt_at is None for each in self.messages())

    def outcomes(self, new: NewWebhook) -> list[list[tuple[str, int | None]]]:
        found = self.webhooks.deliveries(TENANT, new.endpoint.id, None, 100)
        assert found is not None
        return [[(each.outcome, each.status) for each in delivery.attempts] for delivery in reversed(found)]

    def set(self, **values: Any) -> None:
        with self.database.write() as session:
            session.execute(update(OutboxMessage).values(**values))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Shop:
    return Shop(database, tmp_path)


@pytest.fixture
def one(tmp_path: Path) -> Any:
    """A shop where the kind of database makes no difference."""
    database = Database(f"sqlite:///{tmp_path / 'softsell.db'}")
    yield Shop(database, tmp_path)
    database.close()


def due(attempts: int = 0) -> Due:
    return Due(1, "me/1", "msg_1", Event.BATCH_COMPLETED, "wh_1", "https://x.example/", "{}", attempts, ())


def test_messages_arrive_signed(shop: Shop) -> None:
    with receiving() as receiver:
        new = shop.webhook(receiver)
        shop.announce(5)
        shop.deliver_until(lambda: shop.delivered() == 5)
    assert sorted(got.verified(new.secret)["data"]["batch_id"] for got in receiver.got) == list("01234")
    got = receiver.got[0]
    assert set(got.verified(new.secret)) == {"type", "timestamp", "data"}
    assert got.path == "/hook?x=1"
    assert got.headers["host"] == receiver.host
    assert got.headers["content-type"] == "application/json"
    assert len({each.id for each in receiver.got}) == 5
    with pytest.raises(WebhookVerificationError):
        got._replace(body=got.body + b" ").verified(new.secret)
    assert shop.outcomes(new) == [[("delivered", 204)]] * 5
    assert shop.counts == {("batch.completed", "delivered"): 5}


def test_a_process_that_ends_between_sending_and_marking_sends_again_under_the_same_id(
    shop: Shop,
) -> None:
    with receiving() as receiver:
        new = shop.webhook(receiver)
        shop.announce()

        class Ends(DeliveryQueue):
            """Of a process that ends as soon as it has sent."""

            def finish(self, attempts: object) -> None:
                raise StoreUnavailable("ended")

            def release_all(self, worker: str) -> None:
                raise StoreUnavailable("ended")

        async def first() -> None:
            async with shop.delivering(Ends(shop.database, shop.secrets, timedelta(seconds=0.3))):
                await until(lambda: len(receiver.got) == 1)

        asyncio.run(first())
        assert shop.delivered() == 0
        shop.deliver_until(lambda: shop.delivered() == 1)
        assert len(receiver.got) == 2
        assert len({got.id for got in receiver.got}) == 1
        assert all(got.verified(new.secret) for got in receiver.got)
        assert shop.outcomes(new) == [[("delivered", 204)]]


def test_what_is_being_sent_at_the_end_is_given_back_at_once(shop: Shop) -> None:
    stop = threading.Event()
    with receiving(lambda _: stop.wait(30) and None, status(204)) as receiver:
        shop.webhook(receiver)
        shop.announce()
        shop.deliver_until(lambda: len(receiver.got) == 1)
        # Not after its lease.
        shop.deliver_until(lambda: shop.delivered() == 1)
        stop.set()
    assert len({got.id for got in receiver.got}) == 1


def test_a_result_whose_lease_is_over_is_not_written(shop: Shop) -> None:
    with receiving() as receiver:
        shop.webhook(receiver)
    shop.announce()
    early = DeliveryQueue(shop.database, shop.secrets, timedelta(0))
    (stale,) = early.claim("first", 10, {}, 4)
    (held,) = shop.queue.claim("second", 10, {}, 4)
    assert shop.queue.claim("third", 10, {}, 4) == []
    now = datetime.now(UTC)
    shop.queue.finish([Attempt(stale, now, 1, Outcome.GONE, 410, None)])
    early.release([stale], now + timedelta(days=1))
    assert (shop.messages()[0].lease_owner, shop.messages()[0].attempts) == ("second", 0)
    shop.queue.finish([Attempt(held, now, 1, Outcome.DELIVERED, 200, None)])
    assert shop.delivered() == 1


def test_several_workers_send_each_message_once(shop: Shop) -> None:
    with receiving() as receiver:
        shop.webhook(receiver)
        shop.announce(40)

        async def run() -> None:
            async with shop.delivering(), shop.delivering(), shop.delivering():
                await until(lambda: shop.delivered() == 40)

        asyncio.run(run())
        assert len({got.id for got in receiver.got}) == len(receiver.got) == 40


def test_a_failure_is_tried_again(shop: Shop) -> None:
    with receiving(status(500), status(204)) as receiver:
        new = shop.webhook(receiver)
        shop.announce()
        shop.deliver_until(lambda: shop.outcomes(new) == [[("rejected", 500)]])
        (message,) = shop.messages()
        assert message.next_attempt_at is not None
        assert timedelta(seconds=3) < message.next_attempt_at - datetime.now(UTC) < timedelta(seconds=6)
        shop.set(next_attempt_at=datetime.now(UTC))
        shop.deliver_until(lambda: shop.delivered() == 1)
        assert len({got.id for got in receiver.got}) == 1
        assert shop.endpoint(new).failing_since is None


def test_after_the_last_failure_it_is_given_up_until_it_is_asked_for(shop: Shop) -> None:
    with receiving(status(500), status(204)) as receiver:
        new = shop.webhook(receiver)
        shop.announce()
        began = datetime.now(UTC)
        shop.set(attempts=MOST_ATTEMPTS - 1)
        shop.deliver_until(lambda: shop.settled() and shop.endpoint(new).failing_since is not None)
        assert shop.delivered() == 0
        replay = shop.webhooks.replay
        assert replay("other", new.endpoint.id, began - timedelta(days=1), None, delivered=True) is None
        assert replay(TENANT, new.endpoint.id, began + timedelta(days=1), None, delivered=True) == 0
        assert replay(TENANT, new.endpoint.id, began - timedelta(days=1), None, delivered=False) == 1
        shop.deliver_until(lambda: shop.delivered() == 1)
        assert shop.endpoint(new).failing_since is None
        assert replay(TENANT, new.endpoint.id, began - timedelta(days=1), None, delivered=False) == 0
        assert replay(TENANT, new.endpoint.id, None, receiver.got[0].id, delivered=False) == 1
        shop.deliver_until(lambda: shop.delivered() == 1)
        assert len(receiver.got) == 3
        assert len({got.id for got in receiver.got}) == 1


def test_gone_disables_and_enabling_goes_on(shop: Shop) -> None:
    with receiving(status(410), status(204)) as receiver:
        new = shop.webhook(receiver)
        shop.announce()
        shop.deliver_until(lambda: shop.endpoint(new).gone)
        assert shop.settled()
        assert shop.endpoint(new).disabled_at is not None
        shop.announce()
        assert len(shop.messages()) == 1
        shop.webhooks.change(TENANT, new.endpoint.id, None, None, enabled=True)
        shop.announce()
        shop.deliver_until(lambda: shop.delivered() == 1)


def test_who_asks_to_wait_is_left_alone_with_all_messages(shop: Shop) -> None:
    with receiving(status(429, Retry_After="3600"), status(204)) as receiver:
        new = shop.webhook(receiver)
        shop.announce()
        shop.deliver_until(lambda: bool(shop.outcomes(new)[0]))
        held = shop.endpoint(new).held_until
        (message,) = shop.messages()
        assert held is not None
        assert message.next_attempt_at is not None
        for moment in (held, message.next_attempt_at):
            assert timedelta(minutes=59) < moment - datetime.now(UTC) <= timedelta(hours=1)
        shop.announce()
        assert shop.queue.claim("me", 10, {}, 4) == []
        assert len(receiver.got) == 1


def test_a_receiver_that_hangs_keeps_no_other_waiting(one: Shop) -> None:
    stop = threading.Event()
    with receiving(lambda _: stop.wait(30) and None) as slow, receiving() as quick:
        one.webhook(slow)
        one.webhook(slow)
        one.announce(30)
        new = one.webhook(quick)
        one.announce(5)
        one.deliver_until(lambda: one.delivered() == 5, at_once=8, at_once_a_host=3)
        stop.set()
    assert slow.most_at_once <= 3
    assert len(quick.got) == 5
    assert all(got.verified(new.secret) for got in quick.got)


def test_two_secrets_sign_while_one_replaces_the_other(shop: Shop) -> None:
    with receiving() as receiver:
        new = shop.webhook(receiver)
        newer = shop.webhooks.rotate(TENANT, new.endpoint.id, timedelta(hours=1))
        assert newer is not None
        shop.announce()
        shop.deliver_until(lambda: shop.delivered() == 1)
        assert len(receiver.got[0].headers["webhook-signature"].split(" ")) == 2
        for secret in (new.secret, newer.secret):
            receiver.got[0].verified(secret)
        newest = shop.webhooks.rotate(TENANT, new.endpoint.id, timedelta(0))
        assert newest is not None
        shop.announce()
        shop.deliver_until(lambda: shop.delivered() == 2)
        receiver.got[1].verified(newest.secret)
        for secret in (new.secret, newer.secret):
            with pytest.raises(WebhookVerificationError):
                receiver.got[1].verified(secret)


def test_a_server_with_another_key_sends_nothing_and_loses_nothing(one: Shop, tmp_path: Path) -> None:
    with receiving() as receiver:
        one.webhook(receiver)
        one.announce()
        other = DeliveryQueue(one.database, WebhookSecrets(tmp_path / "other", "k" * 32), LEASE)

        async def run() -> None:
            async with one.delivering(other):
                await until(lambda: (one.messages()[0].next_attempt_at or datetime.now(UTC)) > datetime.now(UTC))

        asyncio.run(run())
        assert (one.messages()[0].attempts, receiver.got) == (0, [])
        one.set(next_attempt_at=datetime.now(UTC))
        one.deliver_until(lambda: one.delivered() == 1)


def test_it_outlives_a_store_that_does_not_work(one: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.deliveries._STORE_PAUSE_S", 0.05)
    failures = iter([StoreUnavailable("locked"), RuntimeError("broken")])

    class Breaks(DeliveryQueue):
        def finish(self, attempts: Any) -> None:
            for failure in failures:
                raise failure
            super().finish(attempts)

    with receiving() as receiver:
        one.webhook(receiver)
        one.announce()

        async def run() -> None:
            async with one.delivering(Breaks(one.database, one.secrets, LEASE)):
                await until(lambda: one.delivered() == 1)

        asyncio.run(run())
        assert len(receiver.got) == 1


def test_nothing_is_made_where_nothing_is_stored(one: Shop) -> None:
    async def run() -> None:
        async with one.delivering():
            await asyncio.sleep(0.1)

    asyncio.run(run())
    assert one.database.file is not None
    assert not one.database.file.exists()


def test_ten_attempts_in_three_days() -> None:
    failed, now = Answer(Outcome.REJECTED, 500), datetime.now(UTC)
    moments: list[timedelta] = []
    for attempts in range(MOST_ATTEMPTS - 1):
        earliest, latest = (next_attempt(due(attempts), failed, now, spread) for spread in (0, 1))
        assert earliest is not None
        assert latest is not None
        assert earliest < latest
        moments.append(earliest - now)
    assert MOST_ATTEMPTS == 10
    assert timedelta(hours=75) < sum(moments, timedelta()) < timedelta(hours=76)
    assert moments == sorted(moments)
    assert next_attempt(due(MOST_ATTEMPTS - 1), failed, now, 0) is None
    assert len(SCHEDULE_S) == 9


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.GONE])
def test_no_attempt_follows(outcome: Outcome) -> None:
    assert next_attempt(due(), Answer(outcome), datetime.now(UTC), 0) is None


def test_an_attempt_ends_before_its_lease() -> None:
    assert LEASE.total_seconds() > 2 * WHOLE_S


def test_a_signature_is_of_the_attempt() -> None:
    moment = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert signed(due(), moment)["webhook-timestamp"] == str(int(moment.timestamp()))


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("Sun, 22 Nov 2026 12:02:00 GMT", 120),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("9" * 400, 86_400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("", None),
        ("-1", None),
        ("soon", None),
        ("1e9", None),
    ],
)
def test_how_long_to_wait(sent: str, seconds: float | None) -> None:
    assert wait_s(sent, datetime(2026, 11, 22, 12, tzinfo=UTC)) == seconds

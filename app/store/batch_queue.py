"""The queue of batches' items, which workers of several processes share: claimed by leases, written in groups.

A result and the state of its item are one transaction, and only who still holds an item's lease may write it: so each
item ends with exactly one result, whoever is killed when. A worker's lease names the worker and one claim of it
(`worker/claim`); a claim of which the worker never heard, since the database went away meanwhile, runs out.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, select, true, update
from sqlalchemy.orm import Session

from app.core.errors import StoreUnavailable
from app.store import outbox
from app.store.batches import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    DONE,
    EXPIRED,
    FAILED,
    FINALIZING,
    IN_PROGRESS,
    LEASED,
    PENDING,
    Batches,
)
from app.store.conversations import Conversations
from app.store.tables import Batch, BatchItem, StoredConversation

# An item that so many processes ended with is not tried again.
MOST_ATTEMPTS = 3
# Codes of items that have no score for a reason of their batch's.
WORKER_ENDED, BATCH_CANCELLED, BATCH_EXPIRED = "worker_ended", "batch_cancelled", "batch_expired"
_GROUP = 500
_NEW, _TRIED = BatchItem.attempts == 0, BatchItem.attempts.between(1, MOST_ATTEMPTS - 1)
_TOO_OFTEN, _ANY = BatchItem.attempts >= MOST_ATTEMPTS, true()


class ItemKey(NamedTuple):
    """One item of all batches."""

    batch_id: str
    ordinal: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """An item that is this worker's to score until its lease ends."""

    key: ItemKey
    lease: str
    tenant: str
    options: dict[str, Any]
    custom_id: str | None
    input: bytes
    attempts: int


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of a claimed item: a line of the results, or of the errors where there is a code."""

    claimed: Claimed
    line: bytes
    error_code: str | None = None
    stored: StoredConversation | None = None


class BatchQueue:
    """What workers ask of the batches of a database. Every method raises `StoreUnavailable`."""

    def __init__(self, batches: Batches, conversations: Conversations, lease: timedelta) -> None:
        self._batches = batches
        self._database = batches.database
        self._conversations = conversations
        self.lease = lease

    def claim(self, lease: str, limit: int, after: str) -> list[Claimed]:
        """Up to `limit` items of one batch; batches take turns, the next one being that after `after`.

        An item with which a process ended comes last and alone, so that it can end no other's work.
        """
        with self._database.read() as session:
            # Without this look, a worker that has nothing to do would take the writers' lock all the time.
            if session.scalar(_with_pending(BatchItem.attempts < MOST_ATTEMPTS).limit(1)) is None:
                return []
        with self._database.write() as session:
            for attempts, most in ((_NEW, limit), (_TRIED, 1)):
                found = _with_pending(attempts).order_by(Batch.id).limit(1)
                batch = session.scalar(found.where(Batch.id > after)) or session.scalar(found)
                if batch is not None and (claimed := self._claim(session, batch, lease, most, attempts)):
                    return claimed
        return []

    def _claim(self, session: Session, batch: Batch, lease: str, limit: int, attempts: Any) -> list[Claimed]:
        waiting = (
            select(BatchItem.ordinal)
            .where(BatchItem.batch_id == batch.id, BatchItem.status == PENDING, attempts)
            .order_by(BatchItem.attempts, BatchItem.ordinal)
            .limit(limit)
        )
        if not self._database.is_sqlite:
            waiting = waiting.with_for_update(skip_locked=True)
        claiming = (
            update(BatchItem)
            .where(BatchItem.batch_id == batch.id, BatchItem.ordinal.in_(list(session.scalars(waiting))))
            .values(status=LEASED, lease_owner=lease, lease_expires_at=datetime.now(UTC) + self.lease)
            .returning(BatchItem.ordinal, BatchItem.custom_id, BatchItem.input, BatchItem.attempts)
        )
        rows = sorted(session.execute(claiming, execution_options={"synchronize_session": False}).all())
        return [
            Claimed(ItemKey(batch.id, ordinal), lease, batch.tenant, batch.options, custom_id, input_ or b"", tried)
            for ordinal, custom_id, input_, tried in rows
        ]

    def renew(self, leases: Sequence[str]) -> None:
        """Hold these leases for longer."""
        with self._database.write() as session:
            session.execute(
                update(BatchItem)
                .where(BatchItem.status == LEASED, BatchItem.lease_owner.in_(leases))
                .values(lease_expires_at=datetime.now(UTC) + self.lease)
            )

    def finish(self, finished: Sequence[Finished]) -> int:
        """Write the results of items whose leases still hold, all or none; says how many there were.

        The input of each is erased.
        """
        with self._database.write() as session:
            held = self._held(session, [item.claimed for item in finished])
            ours = [item for item in finished if item.claimed.key in held]
            if not ours:
                return 0
            _settle(
                session, [(i.claimed.key, DONE if i.error_code is None else FAILED, i.line, i.error_code) for i in ours]
            )
            if kept := [item.stored for item in ours if item.stored is not None]:
                # Of two with one id, the later one counts; one statement cannot change a row twice.
                self._conversations.put_within(session, list({(row.tenant, row.id): row for row in kept}.values()))
        return len(ours)

    def release(self, claimed: Sequence[Claimed]) -> None:
        """Give items back that were not scored."""
        with self._database.write() as session:
            held = self._held(session, claimed)
            for key in held:
                session.execute(update(BatchItem).where(_is(key)).values(_FREE))

    def take_back(self, worker: str, running: Sequence[ItemKey]) -> int:
        """Free what a worker held whose process has ended, while it scored `running`; says how many items."""
        with self._database.write() as session:
            theirs = (BatchItem.status == LEASED) & BatchItem.lease_owner.startswith(f"{worker}/", autoescape=True)
            for key in running:
                session.execute(update(BatchItem).where(theirs, _is(key)).values(attempts=BatchItem.attempts + 1))
            freed = session.execute(update(BatchItem).where(theirs).values(_FREE).returning(BatchItem.ordinal)).all()
        return len(freed)

    def look_after(self) -> list[Batch]:
        """What has to be done from time to time; the batches that have nothing left to be scored come back.

        Leases that ran out end, and count as an attempt, as nobody knows which item it was. Items that too many
        processes ended with fail; those of batches that are cancelled or out of time are not scored.
        """
        now = datetime.now(UTC)
        with self._database.read() as session:
            due = session.scalar(_due(now).limit(1)) is not None
            due = due or session.scalar(_with_pending(_TOO_OFTEN).limit(1)) is not None
            due = due or session.scalar(select(BatchItem.ordinal).where(_lapsed(now)).limit(1)) is not None
        if not due:
            return []
        with self._database.write() as session:
            session.execute(update(BatchItem).where(_lapsed(now)).values({**_FREE, "attempts": BatchItem.attempts + 1}))
            over = update(Batch).where(Batch.status == IN_PROGRESS, Batch.expires_at <= now)
            session.execute(over.values(status=CANCELLING, error=EXPIRED))
        for batch_id in self._ids(_with_pending(_TOO_OFTEN)):
            self._give_up(batch_id, FAILED, WORKER_ENDED, _TOO_OFTEN)
        for reason, code in ((CANCELLED, BATCH_CANCELLED), (EXPIRED, BATCH_EXPIRED)):
            for batch_id in self._ids(select(Batch).where(Batch.status == CANCELLING, Batch.error == reason)):
                self._give_up(batch_id, CANCELLED, code, _ANY)
        with self._database.write() as session:
            ended = [b for b in session.scalars(_due(now)) if b.done + b.failed + b.cancelled >= b.total]
            for batch in ended:
                batch.status = FINALIZING
        return ended

    def finalised(self, batch: Batch) -> None:
        """Its files are there: the batch is final, and nothing of what was sent is left in the store's files."""
        # Should something be in the way, the store's hourly upkeep sweeps again.
        with suppress(StoreUnavailable):
            self._database.sweep()
        final = {EXPIRED: EXPIRED, CANCELLED: CANCELLED, None: COMPLETED}.get(batch.error, FAILED)
        now = datetime.now(UTC)
        with self._database.write() as session:
            ended = session.scalar(
                update(Batch)
                .where(Batch.id == batch.id, Batch.status == FINALIZING)
                .values(status=final, finished_at=now, kept_until=now + self._batches.retention)
                .returning(Batch.id)
            )
            # Another process may have been faster.
            if ended is not None:
                outbox.announce_batch(session, batch, final)

    def _give_up(self, batch_id: str, status: str, code: str, attempts: Any) -> None:
        """End the waiting items of a batch without a score."""
        waiting = select(BatchItem.ordinal).where(BatchItem.batch_id == batch_id, BatchItem.status == PENDING, attempts)
        if not self._database.is_sqlite:
            waiting = waiting.with_for_update(skip_locked=True)
        while True:
            with self._database.write() as session:
                group = list(session.scalars(waiting.limit(_GROUP)))
                if not group:
                    return
                _settle(session, [(ItemKey(batch_id, ordinal), status, None, code) for ordinal in group])

    def _ids(self, batches: Select[Batch]) -> list[str]:
        with self._database.read() as session:
            return [batch.id for batch in session.scalars(batches)]

    def _held(self, session: Session, claimed: Sequence[Claimed]) -> set[ItemKey]:
        """Those of the items whose leases still hold, locked until the transaction ends."""
        leases = {item.lease for item in claimed}
        held = select(BatchItem.batch_id, BatchItem.ordinal, BatchItem.lease_owner).where(
            BatchItem.status == LEASED, BatchItem.lease_owner.in_(leases)
        )
        found = {
            (ItemKey(batch_id, ordinal), owner)
            for batch_id, ordinal, owner in session.execute(
                held if self._database.is_sqlite else held.with_for_update()
            )
        }
        return {item.key for item in claimed if (item.key, item.lease) in found}


_FREE: dict[Any, Any] = {"status": PENDING, "lease_owner": None, "lease_expires_at": None}


def _is(key: ItemKey) -> Any:
    return (BatchItem.batch_id == key.batch_id) & (BatchItem.ordinal == key.ordinal)


def _lapsed(now: datetime) -> Any:
    return (BatchItem.status == LEASED) & (BatchItem.lease_expires_at < now)


def _due(now: datetime) -> Select[Batch]:
    """Batches of which something has to be looked after."""
    counted = Batch.done + Batch.failed + Batch.cancelled
    ends = (Batch.status == IN_PROGRESS) & ((Batch.expires_at <= now) | (counted >= Batch.total))
    return select(Batch).where(ends | Batch.status.in_((CANCELLING, FINALIZING))).order_by(Batch.created_at)


def _with_pending(attempts: Any) -> Select[Batch]:
    """Batches in progress with items that wait."""
    waiting = select(BatchItem.ordinal).where(BatchItem.batch_id == Batch.id, BatchItem.status == PENDING, attempts)
    return select(Batch).where(Batch.status == IN_PROGRESS, waiting.exists())


def _settle(session: Session, settled: Sequence[tuple[ItemKey, str, bytes | None, str | None]]) -> None:
    """Write the results of items and add them to their batches' counts."""
    items = BatchItem.__table__
    session.connection().execute(
        items.update()  # type: ignore[attr-defined]
        .where(items.c.batch_id == bindparam("of_batch"), items.c.ordinal == bindparam("at"))
        .values(
            status=bindparam("to"),
            result=bindparam("line"),
            error_code=bindparam("code"),
            input=None,
            lease_owner=None,
            lease_expires_at=None,
        ),
        [
            {"of_batch": key.batch_id, "at": key.ordinal, "to": status, "line": line, "code": code}
            for key, status, line, code in settled
        ],
    )
    # In one order everywhere, or two processes could wait for one another's batches.
    for batch_id in sorted({key.batch_id for key, *_ in settled}):
        states = [status for key, status, *_ in settled if key.batch_id == batch_id]
        session.execute(
            update(Batch)
            .where(Batch.id == batch_id)
            .values(
                done=Batch.done + states.count(DONE),
                failed=Batch.failed + states.count(FAILED),
                cancelled=Batch.cancelled + states.count(CANCELLED),
            )
        )

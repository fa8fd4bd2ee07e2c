"""Batches as their callers see them: received, looked at, listed, cancelled, read and deleted.

Who scores their items asks `app.store.batch_queue`. Every question of a caller is asked for one tenant.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.store.conversations import Place
from app.store.database import Database
from app.store.tables import Batch, BatchItem

# States of a batch. The last four are final.
VALIDATING, IN_PROGRESS, FINALIZING, CANCELLING = "validating", "in_progress", "finalizing", "cancelling"
COMPLETED, FAILED, CANCELLED, EXPIRED = "completed", "failed", "cancelled", "expired"
FINAL = frozenset({COMPLETED, FAILED, CANCELLED, EXPIRED})
# States of an item; `CANCELLED` and `FAILED` are states of both.
PENDING, LEASED, DONE = "pending", "leased", "done"

DUPLICATE = "duplicate_custom_id"
# A sender that adds nothing for so long has gone, and what it sent is dropped.
RECEIVING_LEASE = timedelta(minutes=2)
_ID_PREFIX = "batch_"
# Rows of one short transaction: writers wait for no longer work than this.
_GROUP = 500
_READ_GROUP = 200


@dataclass(frozen=True, slots=True)
class NewItem:
    """One conversation of a batch that is being received: its input, or the line that says why it has none."""

    ordinal: int
    custom_id: str | None
    input: bytes | None
    error: bytes | None = None
    error_code: str | None = None


class Line(NamedTuple):
    """An item in the results or errors of a batch; without `result`, it has only the code of why."""

    ordinal: int
    custom_id: str | None
    result: bytes | None
    error_code: str | None


class Batches:
    """The batches of a database; `window` is how long one may take, `retention` how long it is kept when it ended."""

    def __init__(self, database: Database, window: timedelta, retention: timedelta) -> None:
        self.database = database
        self.window = window
        self.retention = retention

    def begin(self, tenant: str, options: dict[str, Any], key: str | None) -> tuple[str, bool]:
        """The id of a new batch, and true; or of the one that came with the same key before, and false.

        Raises `StoreUnavailable`.
        """
        now = datetime.now(UTC)
        values = {
            "id": _ID_PREFIX + uuid.uuid4().hex,
            "tenant": tenant,
            "status": VALIDATING,
            "idempotency_key": key,
            "created_at": now,
            "lease_expires_at": now + RECEIVING_LEASE,
            "expires_at": now + self.window,
            "options": options,
            **dict.fromkeys(("total", "done", "failed", "cancelled"), 0),
        }
        with self.database.write() as session:
            if key is not None:
                # A sender that has gone gives its key back.
                session.execute(delete(Batch).where(Batch.tenant == tenant, Batch.idempotency_key == key, _gone(now)))
            insert = self._insert(Batch).on_conflict_do_nothing(index_elements=["tenant", "idempotency_key"])
            made = session.scalar(insert.returning(Batch.id), values)
            if made is not None:
                return made, True
            there = select(Batch.id).where(Batch.tenant == tenant, Batch.idempotency_key == key)
            return session.scalars(there).one(), False

    def add(self, batch_id: str, items: Sequence[NewItem], duplicate: Any) -> int:
        """Store items; says how many are errors. One whose `custom_id` is there already becomes an error itself.

        `duplicate` makes the error's line of such an item. Raises `StoreUnavailable`; nothing is stored then.
        """
        rows = [self._row(batch_id, item) for item in items]
        with self.database.write() as session:
            insert = self._insert(BatchItem).on_conflict_do_nothing(index_elements=["batch_id", "custom_id"])
            stored = set(session.scalars(insert.returning(BatchItem.ordinal), rows))
            again = [
                self._row(batch_id, NewItem(item.ordinal, None, None, duplicate(item), DUPLICATE))
                for item in items
                if item.ordinal not in stored
            ]
            if again:
                session.execute(self._insert(BatchItem), again)
            failed = len(again) + sum(item.error is not None and item.ordinal in stored for item in items)
            session.execute(
                update(Batch)
                .where(Batch.id == batch_id)
                .values(
                    total=Batch.total + len(items),
                    failed=Batch.failed + failed,
                    lease_expires_at=datetime.now(UTC) + RECEIVING_LEASE,
                )
            )
        return failed

    def received(self, batch_id: str, body_sha256: str) -> None:
        """All of it is there: let it be scored. Raises `StoreUnavailable`."""
        now = datetime.now(UTC)
        with self.database.write() as session:
            batch = session.get_one(Batch, batch_id)
            batch.body_sha256, batch.lease_expires_at, batch.started_at = body_sha256, None, now
            batch.status = IN_PROGRESS
            if batch.failed == batch.total:
                batch.status, batch.error = FINALIZING, "no_readable_item"

    def drop(self, batch_id: str) -> None:
        """Forget a batch and all that is stored of it. Raises `StoreUnavailable`."""
        while self._drop_items(batch_id):
            pass
        with self.database.write() as session:
            session.execute(delete(Batch).where(Batch.id == batch_id))

    def get(self, tenant: str, batch_id: str) -> Batch | None:
        """The batch, if it is this tenant's. Raises `StoreUnavailable`."""
        with self.database.read() as session:
            return session.scalar(select(Batch).where(Batch.tenant == tenant, Batch.id == batch_id))

    def page(self, tenant: str, after: Place | None, limit: int) -> list[Batch]:
        """A tenant's batches, the newest first. Raises `StoreUnavailable`."""
        newest = select(Batch).where(Batch.tenant == tenant).order_by(Batch.created_at.desc(), Batch.id.desc())
        if after is not None:
            newest = newest.where(tuple_(Batch.created_at, Batch.id) < tuple_(*after))
        with self.database.read() as session:
            return list(session.scalars(newest.limit(limit)))

    def cancel(self, tenant: str, batch_id: str) -> Batch | None:
        """Score no more of it; what is being scored just now still is. Raises `StoreUnavailable`."""
        if not self.database.in_use:
            return None
        with self.database.write() as session:
            cancelling = update(Batch).where(Batch.tenant == tenant, Batch.id == batch_id, Batch.status == IN_PROGRESS)
            session.execute(cancelling.values(status=CANCELLING, error="cancelled"))
        return self.get(tenant, batch_id)

    def lines(self, batch_id: str, *, failed: bool) -> Iterator[Line]:
        """The results, or the errors, in the order sent; no transaction stays open between groups.

        Raises `StoreUnavailable`, also half-way.
        """
        wanted = BatchItem.status != DONE if failed else BatchItem.status == DONE
        columns = select(BatchItem.ordinal, BatchItem.custom_id, BatchItem.result, BatchItem.error_code)
        last = -1
        while True:
            page = columns.where(BatchItem.batch_id == batch_id, wanted, BatchItem.ordinal > last)
            with self.database.read() as session:
                group = session.execute(page.order_by(BatchItem.ordinal).limit(_READ_GROUP)).all()
            yield from (Line(*row) for row in group)
            if len(group) < _READ_GROUP:
                return
            last = group[-1].ordinal

    def purge(self) -> list[str]:
        """Delete batches whose time is over, and those whose sender has gone; says which. Raises `StoreUnavailable`."""
        now = datetime.now(UTC)
        with self.database.read() as session:
            over = list(session.scalars(select(Batch.id).where((Batch.kept_until <= now) | _gone(now))))
        for batch_id in over:
            self.drop(batch_id)
        return over

    def existing(self, batch_ids: Sequence[str]) -> set[str]:
        """Those of the batches that are there. Raises `StoreUnavailable`."""
        with self.database.read() as session:
            return set(session.scalars(select(Batch.id).where(Batch.id.in_(batch_ids))))

    def _drop_items(self, batch_id: str) -> int:
        with self.database.write() as session:
            return drop_group(session, batch_id)

    def _insert(self, table: type[Batch | BatchItem]) -> Any:
        return (sqlite if self.database.is_sqlite else postgresql).insert(table)

    @staticmethod
    def _row(batch_id: str, item: NewItem) -> dict[str, Any]:
        return {
            "batch_id": batch_id,
            "ordinal": item.ordinal,
            "custom_id": item.custom_id,
            "status": PENDING if item.error is None else FAILED,
            "attempts": 0,
            "input": item.input,
            "result": item.error,
            "error_code": item.error_code,
        }


def _gone(now: datetime) -> Any:
    """Of a batch: it was never received whole, and nobody sends it any more."""
    return (Batch.status == VALIDATING) & (Batch.lease_expires_at < now)


def drop_group(session: Session, batch_id: str) -> int:
    """Delete some items of a batch; zero when there are none left."""
    group = list(session.scalars(select(BatchItem.ordinal).where(BatchItem.batch_id == batch_id).limit(_GROUP)))
    if group:
        session.execute(delete(BatchItem).where(BatchItem.batch_id == batch_id, BatchItem.ordinal.in_(group)))
    return len(group)

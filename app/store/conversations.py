"""Stored conversations: put, get, list, export, erase, and delete when their time is over.

Every question is asked for one tenant; there is no way to ask across tenants. A conversation whose
time is over is not found, whether or not it has been deleted yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, defer

from app.core.errors import StoreUnavailable
from app.store import outbox
from app.store.database import Database
from app.store.tables import Erasure, StoredConversation

# Rows of one short transaction: writers wait for no longer work than this.
GROUP = 500
_EXPORT_GROUP = 20


class Person(NamedTuple):
    """Whose conversations are meant: a customer's or an agent's, by the id in the conversation's metadata."""

    id: str
    is_agent: bool


class Place(NamedTuple):
    """Where a list goes on: after this conversation."""

    created_at: datetime
    id: str


def conversation_sha256(id_: str) -> str:
    """How an erased conversation is remembered."""
    return hashlib.sha256(id_.encode("utf-8", "surrogatepass")).hexdigest()


class Conversations:
    """The conversations of a database.

    `retention` is how long one is kept; `backup_retention` how long the operator keeps backups, in
    which an erased conversation may still be.
    """

    def __init__(self, database: Database, retention: timedelta, backup_retention: timedelta) -> None:
        self.database = database
        self._retention = retention
        self._backup_retention = backup_retention

    def put(self, conversation: StoredConversation) -> datetime:
        """Store a conversation in place of one with the same id, if there is one; says when it expires.

        `created_at` and `expires_at` are set here. Raises `StoreUnavailable`; nothing is stored then.
        """
        with self.database.write() as session:
            return self.put_within(session, [conversation])

    def put_within(self, session: Session, conversations: list[StoredConversation]) -> datetime:
        """The same for several, within a transaction of other work; tells webhooks of each."""
        now = datetime.now(UTC)
        columns = [column.key for column in StoredConversation.__table__.columns]
        rows: list[dict[str, Any]] = []
        for conversation in conversations:
            conversation.created_at, conversation.expires_at = now, now + self._retention
            rows.append({name: getattr(conversation, name) for name in columns})
        insert = (sqlite if self.database.is_sqlite else postgresql).insert(StoredConversation)
        changed = {name: insert.excluded[name] for name in columns if name not in ("tenant", "id")}
        session.execute(insert.on_conflict_do_update(index_elements=["tenant", "id"], set_=changed), rows)
        outbox.announce_scored(session, conversations)
        return now + self._retention

    def get(self, tenant: str, id_: str) -> StoredConversation | None:
        """The conversation, if it is stored and its time is not over. Raises `StoreUnavailable`."""
        with self.database.read() as session:
            return session.scalar(_living(tenant).where(StoredConversation.id == id_))

    def page(self, tenant: str, person: Person, after: Place | None, limit: int) -> list[StoredConversation]:
        """A person's conversations, the newest first, without `result` and `text`. Raises `StoreUnavailable`."""
        newest = _of(tenant, person).order_by(StoredConversation.created_at.desc(), StoredConversation.id.desc())
        if after is not None:
            newest = newest.where(tuple_(StoredConversation.created_at, StoredConversation.id) < tuple_(*after))
        # Neither is read by mistake one row at a time.
        heads = newest.options(
            defer(StoredConversation.result, raiseload=True), defer(StoredConversation.text, raiseload=True)
        )
        with self.database.read() as session:
            return list(session.scalars(heads.limit(limit)))

    def export(self, tenant: str, person: Person) -> Iterator[StoredConversation]:
        """All that is held on a person, the oldest first; no transaction stays open between groups.

        Raises `StoreUnavailable`, also half-way.
        """
        place: Place | None = None
        while True:
            oldest = _of(tenant, person).order_by(StoredConversation.created_at, StoredConversation.id)
            if place is not None:
                oldest = oldest.where(tuple_(StoredConversation.created_at, StoredConversation.id) > tuple_(*place))
            with self.database.read() as session:
                group = list(session.scalars(oldest.limit(_EXPORT_GROUP)))
            yield from group
            if len(group) < _EXPORT_GROUP:
                return
            place = Place(group[-1].created_at, group[-1].id)

    def erase(self, tenant: str, id_: str) -> datetime | None:
        """Erase a conversation; says until when backups may hold it, or None if there was none.

        In SQLite no byte of it is left in the database's files. PostgreSQL keeps a deleted row until
        the table is vacuumed, which `purge` does. Raises `StoreUnavailable`.
        """
        if not self.database.in_use:
            return None
        now = datetime.now(UTC)
        until = now + self._backup_retention
        with self.database.write() as session:
            outbox.forget(session, tenant, [id_])
            erasing = delete(StoredConversation).where(
                StoredConversation.tenant == tenant, StoredConversation.id == id_
            )
            if session.scalar(erasing.returning(StoredConversation.id)) is None:
                return None
            session.add(
                Erasure(
                    tenant=tenant,
                    conversation_sha256=conversation_sha256(id_),
                    erased_at=now,
                    backups_until=until,
                )
            )
        if self.database.is_sqlite:
            # It is erased; should something be in the way of the sweep, `purge` sweeps again.
            with suppress(StoreUnavailable):
                self.database.sweep()
        return until

    def purge(self) -> int:
        """Delete what has expired, and leave no remains of it; says how many conversations there were.

        Raises `StoreUnavailable`.
        """
        if not self.database.in_use:
            return 0
        now = datetime.now(UTC)
        purged = 0
        while group := self._purge_group(now):
            purged += group
        while self._forget_group(now):
            pass
        with self.database.write() as session:
            session.execute(delete(Erasure).where(Erasure.backups_until < now))
        self.database.sweep()
        return purged

    def _purge_group(self, now: datetime) -> int:
        expired = StoredConversation.expires_at <= now
        with self.database.write() as session:
            group = session.execute(
                select(StoredConversation.tenant, StoredConversation.id).where(expired).limit(GROUP)
            ).all()
            if group:
                key = tuple_(StoredConversation.tenant, StoredConversation.id)
                session.execute(delete(StoredConversation).where(key.in_([tuple(row) for row in group])))
            for tenant in {row.tenant for row in group}:
                outbox.forget(session, tenant, [row.id for row in group if row.tenant == tenant])
            return len(group)

    def _forget_group(self, now: datetime) -> int:
        """What webhooks are told is kept for no longer than what they are told of."""
        with self.database.write() as session:
            return outbox.forget_older(session, now - self._retention, GROUP)


def _living(tenant: str) -> Select[StoredConversation]:
    return select(StoredConversation).where(
        StoredConversation.tenant == tenant, StoredConversation.expires_at > datetime.now(UTC)
    )


def _of(tenant: str, person: Person) -> Select[StoredConversation]:
    column = StoredConversation.agent_id if person.is_agent else StoredConversation.customer_id
    return _living(tenant).where(column == person.id)

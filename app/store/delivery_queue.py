"""The queue of messages to webhooks, which the workers of several processes share.

A worker claims messages with a lease and writes what came of each. If it ends in between, the lease runs out and
the message is sent again under the same id: at least once, never lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.orm import Session

from app.store.database import Database
from app.store.tables import DeliveryAttempt, OutboxMessage, WebhookEndpoint, WebhookSecret
from app.store.webhook_secrets import WebhookSecrets, WrongKey


class Outcome(StrEnum):
    """What came of an attempt."""

    DELIVERED = "delivered"
    """An answer of 2xx."""
    GONE = "gone"
    """410: the webhook is disabled."""
    REDIRECTED = "redirected"
    """3xx, which is not followed."""
    ASKED_TO_WAIT = "asked_to_wait"
    """429 or 503."""
    REJECTED = "rejected"
    """Any other answer."""
    TIMED_OUT = "timed_out"
    """No answer in time."""
    UNREACHABLE = "unreachable"
    """No connection, or one that broke off."""
    NOT_TRUSTED = "not_trusted"
    """A certificate that is not valid for the host."""
    ADDRESS_REFUSED = "address_refused"
    """An address that is not a public one, or not any longer."""


@dataclass(frozen=True, slots=True)
class Due:
    """A message that is this worker's to send until its lease ends; without `secrets`, it cannot be signed here."""

    row: int
    lease: str
    event_id: str
    event: str
    endpoint_id: str
    url: str
    payload: str = field(repr=False)
    attempts: int
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def host(self) -> str:
        """Where it goes, as far as hosts are told apart."""
        return host_of(self.url)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of an attempt: without `next_attempt_at`, the message is settled."""

    due: Due
    attempted_at: datetime
    duration_ms: int
    outcome: Outcome
    status: int | None
    next_attempt_at: datetime | None
    # The whole webhook is left alone until then.
    held_until: datetime | None = None


def host_of(url: str) -> str:
    """The host and port of a webhook's URL."""
    return urlsplit(url).netloc


class DeliveryQueue:
    """What workers ask of the messages of a database. Every method raises `StoreUnavailable`."""

    def __init__(self, database: Database, secrets: WebhookSecrets, lease: timedelta) -> None:
        self._database = database
        self._secrets = secrets
        self._lease = lease
        self._last_endpoint = ""

    def in_use(self) -> bool:
        """Whether there is any webhook; makes no file."""
        if not self._database.in_use:
            return False
        with self._database.read() as session:
            return session.scalar(select(WebhookEndpoint.id).limit(1)) is not None

    def claim(self, lease: str, limit: int, taken: Mapping[str, int], most_a_host: int) -> list[Due]:
        """Up to `limit` messages that are due, of all webhooks in turn.

        `taken` counts what is being sent to each host; none gets more than `most_a_host`, so that a slow one
        keeps no other waiting.
        """
        now = datetime.now(UTC)
        with self._database.read() as session:
            # Without this look, a worker that has nothing to do would take the writers' lock all the time.
            waiting = select(OutboxMessage.row).where(OutboxMessage.endpoint_id == WebhookEndpoint.id, _is_due(now))
            found = session.execute(
                select(WebhookEndpoint.id, WebhookEndpoint.url)
                .where(
                    WebhookEndpoint.disabled_at.is_(None),
                    or_(WebhookEndpoint.held_until.is_(None), WebhookEndpoint.held_until <= now),
                    waiting.exists(),
                )
                .order_by(WebhookEndpoint.id)
            ).all()
        later = [row for row in found if row.id > self._last_endpoint]
        in_turn = [*later, *(row for row in found if row.id <= self._last_endpoint)]
        busy = Counter(taken)
        if not any(busy[host_of(row.url)] < most_a_host for row in in_turn):
            return []
        claimed: list[Due] = []
        with self._database.write() as session:
            for id_, url in in_turn:
                room = min(limit - len(claimed), most_a_host - busy[host_of(url)])
                if room > 0:
                    of_one = self._claim(session, id_, url, lease, room)
                    busy[host_of(url)] += len(of_one)
                    claimed += of_one
                    self._last_endpoint = id_
        return claimed

    def _claim(self, session: Session, endpoint_id: str, url: str, lease: str, limit: int) -> list[Due]:
        now = datetime.now(UTC)
        due = (
            select(OutboxMessage.row)
            .where(OutboxMessage.endpoint_id == endpoint_id, _is_due(now))
            .order_by(OutboxMessage.next_attempt_at, OutboxMessage.row)
            .limit(limit)
        )
        if not self._database.is_sqlite:
            due = due.with_for_update(skip_locked=True)
        claiming = (
            update(OutboxMessage)
            .where(OutboxMessage.row.in_(list(session.scalars(due))))
            .values(lease_owner=lease, lease_expires_at=now + self._lease)
            .returning(
                OutboxMessage.row,
                OutboxMessage.event_id,
                OutboxMessage.event,
                OutboxMessage.payload,
                OutboxMessage.attempts,
            )
        )
        rows = session.execute(claiming, execution_options={"synchronize_session": False}).all()
        secrets = self._valid(session, endpoint_id, now) if rows else ()
        return [
            Due(row, lease, event_id, event, endpoint_id, url, payload, attempts, secrets)
            for row, event_id, event, payload, attempts in sorted(rows)
        ]

    def _valid(self, session: Session, endpoint_id: str, now: datetime) -> tuple[str, ...]:
        """The secrets that sign now, the newest first; none if one was made with another server's key."""
        valid = select(WebhookSecret).where(
            WebhookSecret.endpoint_id == endpoint_id,
            or_(WebhookSecret.valid_until.is_(None), WebhookSecret.valid_until > now),
        )
        try:
            return tuple(self._secrets.of(each) for each in session.scalars(valid.order_by(WebhookSecret.row.desc())))
        except WrongKey:
            return ()

    def finish(self, attempts: Sequence[Attempt]) -> None:
        """Write what came of attempts; of those only whose leases still hold."""
        with self._database.write() as session:
            # In one order everywhere, or two processes could wait for one another's webhooks.
            for attempt in sorted(attempts, key=lambda each: each.due.endpoint_id):
                self._finish(session, attempt)

    def _finish(self, session: Session, attempt: Attempt) -> None:
        now = datetime.now(UTC)
        delivered = attempt.outcome is Outcome.DELIVERED
        settled = (
            update(OutboxMessage)
            .where(_held(attempt.due))
            .values(
                attempts=attempt.due.attempts + 1,
                next_attempt_at=attempt.next_attempt_at,
                delivered_at=now if delivered else None,
                **_FREE,
            )
        )
        if session.scalar(settled.returning(OutboxMessage.row), execution_options=_PLAIN) is None:
            return
        session.execute(
            insert(DeliveryAttempt),
            [
                {
                    "message_row": attempt.due.row,
                    "attempted_at": attempt.attempted_at,
                    "duration_ms": attempt.duration_ms,
                    "outcome": str(attempt.outcome),
                    "status": attempt.status,
                }
            ],
        )
        changed: dict[str, Any] = {}
        if delivered:
            changed["failing_since"] = None
        elif attempt.outcome is Outcome.GONE:
            changed |= {"disabled_at": now, "gone": True}
        elif attempt.next_attempt_at is None:
            changed["failing_since"] = func.coalesce(WebhookEndpoint.failing_since, now)
        if attempt.held_until is not None:
            changed["held_until"] = attempt.held_until
        if changed:
            endpoint = update(WebhookEndpoint).where(WebhookEndpoint.id == attempt.due.endpoint_id)
            session.execute(endpoint.values(**changed), execution_options=_PLAIN)

    def release(self, dues: Sequence[Due], until: datetime) -> None:
        """Give messages back that were not sent, to be sent after a moment."""
        with self._database.write() as session:
            for due in dues:
                given_back = update(OutboxMessage).where(_held(due)).values(next_attempt_at=until, **_FREE)
                session.execute(given_back, execution_options=_PLAIN)

    def release_all(self, worker: str) -> None:
        """Give back whatever a worker holds by leases that begin with its name and a slash."""
        held = OutboxMessage.lease_owner.startswith(f"{worker}/", autoescape=True)
        with self._database.write() as session:
            session.execute(update(OutboxMessage).where(held).values(**_FREE), execution_options=_PLAIN)


_FREE: dict[str, Any] = {"lease_owner": None, "lease_expires_at": None}
_PLAIN: dict[str, Any] = {"synchronize_session": False}


def _held(due: Due) -> Any:
    return (OutboxMessage.row == due.row) & (OutboxMessage.lease_owner == due.lease)


def _is_due(now: datetime) -> Any:
    free = or_(OutboxMessage.lease_expires_at.is_(None), OutboxMessage.lease_expires_at <= now)
    return (OutboxMessage.next_attempt_at <= now) & free

"""Callers' webhooks: made, changed, deleted, their secrets rotated, and what was delivered to them.

Every question is asked for one tenant; another tenant's webhook is not found. A secret is given to whoever
made or rotated it, once.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.core.errors import SoftsellError
from app.store import outbox
from app.store.database import Database
from app.store.outbox import Event
from app.store.tables import DeliveryAttempt, OutboxMessage, WebhookEndpoint, WebhookSecret
from app.store.webhook_secrets import WebhookSecrets

# Secrets that sign at the same time: more would only make headers long.
_MOST_SECRETS = 3


class InvalidWebhook(SoftsellError):
    """A webhook cannot be made or changed as asked for; the message says what to put right."""

    code = "invalid_webhook"


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """A webhook that was just made, or got a new secret; until `former_until` the former secrets sign as well."""

    endpoint: WebhookEndpoint
    secret: str = field(repr=False)
    former_until: datetime | None = None


class Delivery(NamedTuple):
    """A message to a webhook, and what came of each attempt, the first one first."""

    message: OutboxMessage
    attempts: list[DeliveryAttempt]


class Webhooks:
    """The webhooks of a database. Every method raises `StoreUnavailable`."""

    def __init__(self, database: Database, secrets: WebhookSecrets, most: int) -> None:
        """`most` is how many one tenant may have."""
        self._database = database
        self._secrets = secrets
        self._most = most

    def create(self, tenant: str, url: str, events: Sequence[str], *, enabled: bool) -> NewWebhook:
        """Make one; `url` has passed `app.jobs.destinations`. Raises `InvalidWebhook` if there are too many."""
        new, now = self._secrets.new(), datetime.now(UTC)
        endpoint = WebhookEndpoint(
            id=f"wh_{randomness.token_hex(12)}",
            tenant=tenant,
            url=url,
            events=list(events),
            created_at=now,
            disabled_at=None if enabled else now,
            gone=False,
        )
        with self._database.write() as session:
            count = select(func.count()).select_from(WebhookEndpoint).where(WebhookEndpoint.tenant == tenant)
            if session.scalars(count).one() >= self._most:
                raise InvalidWebhook(f"there are {self._most} webhooks already; delete one, or change one")
            session.add(endpoint)
            session.flush()
            session.add(_row(endpoint.id, new.nonce, new.key_check, now))
        return NewWebhook(endpoint, new.secret)

    def page(self, tenant: str) -> list[WebhookEndpoint]:
        """All of a tenant, the oldest first."""
        with self._database.read() as session:
            mine = select(WebhookEndpoint).where(WebhookEndpoint.tenant == tenant)
            return list(session.scalars(mine.order_by(WebhookEndpoint.created_at, WebhookEndpoint.id)))

    def get(self, tenant: str, id_: str) -> WebhookEndpoint | None:
        """The webhook, if the tenant has it."""
        with self._database.read() as session:
            return _find(session, tenant, id_)

    def change(
        self, tenant: str, id_: str, url: str | None, events: Sequence[str] | None, enabled: bool | None
    ) -> WebhookEndpoint | None:
        """Change what is not None. Enabled anew, it gets the messages that wait."""
        if self.get(tenant, id_) is None:
            return None
        with self._database.write() as session:
            endpoint = _find(session, tenant, id_)
            if endpoint is None:
                return None
            if url is not None:
                endpoint.url, endpoint.held_until = url, None
            if events is not None:
                endpoint.events = list(events)
            if enabled is True:
                endpoint.disabled_at, endpoint.gone = None, False
            elif enabled is False and endpoint.disabled_at is None:
                endpoint.disabled_at = datetime.now(UTC)
            return endpoint

    def delete(self, tenant: str, id_: str) -> bool:
        """Delete it with its messages; false if there is none."""
        if self.get(tenant, id_) is None:
            return False
        with self._database.write() as session:
            mine = (WebhookEndpoint.tenant == tenant) & (WebhookEndpoint.id == id_)
            return session.scalar(delete(WebhookEndpoint).where(mine).returning(WebhookEndpoint.id)) is not None

    def rotate(self, tenant: str, id_: str, overlap: timedelta) -> NewWebhook | None:
        """Give it a new secret; the former ones sign as well for as long as `overlap`."""
        if self.get(tenant, id_) is None:
            return None
        new, now = self._secrets.new(), datetime.now(UTC)
        until = now + overlap
        with self._database.write() as session:
            endpoint = _find(session, tenant, id_)
            if endpoint is None:
                return None
            former = select(WebhookSecret).where(WebhookSecret.endpoint_id == id_)
            for index, secret in enumerate(session.scalars(former.order_by(WebhookSecret.row.desc()))):
                ends = until if secret.valid_until is None else min(secret.valid_until, until)
                if ends <= now or index >= _MOST_SECRETS - 1:
                    session.delete(secret)
                else:
                    secret.valid_until = ends
            session.add(_row(id_, new.nonce, new.key_check, now))
        return NewWebhook(endpoint, new.secret, until if overlap else None)

    def tell(self, tenant: str, event: Event, *data: Mapping[str, Any]) -> None:
        """Announce what nothing else is stored of; makes no file."""
        # Without this look, every alert would take the writers' lock.
        if any(event in endpoint.events for endpoint in self.page(tenant)):
            with self._database.write() as session:
                outbox.announce(session, tenant, event, *data)

    def test(self, tenant: str, id_: str) -> str | None:
        """Write a message that only tests it; the message's id."""
        if self.get(tenant, id_) is None:
            return None
        with self._database.write() as session:
            endpoint = _find(session, tenant, id_)
            return None if endpoint is None else outbox.announce_test(session, endpoint)

    def replay(
        self, tenant: str, id_: str, since: datetime | None, message_id: str | None, *, delivered: bool
    ) -> int | None:
        """Send messages again under their old ids; says how many.

        Those written since a moment that were given up, and with `delivered` those that arrived too; or
        one, whatever became of it.
        """
        if self.get(tenant, id_) is None:
            return None
        meant = OutboxMessage.endpoint_id == id_
        if message_id is not None:
            meant &= OutboxMessage.event_id == message_id
        else:
            meant &= OutboxMessage.next_attempt_at.is_(None)
            if not delivered:
                meant &= OutboxMessage.delivered_at.is_(None)
        if since is not None:
            meant &= OutboxMessage.created_at >= since
        again = {"next_attempt_at": datetime.now(UTC), "attempts": 0, "delivered_at": None}
        with self._database.write() as session:
            rows = session.scalars(
                update(OutboxMessage).where(meant).values(**again).returning(OutboxMessage.row),
                execution_options={"synchronize_session": False},
            )
            return len(rows.all())

    def deliveries(self, tenant: str, id_: str, before: int | None, limit: int) -> list[Delivery] | None:
        """Messages to a webhook, the newest first: those before the row `before`."""
        with self._database.read() as session:
            if _find(session, tenant, id_) is None:
                return None
            newest = select(OutboxMessage).where(OutboxMessage.endpoint_id == id_)
            if before is not None:
                newest = newest.where(OutboxMessage.row < before)
            messages = list(session.scalars(newest.order_by(OutboxMessage.row.desc()).limit(limit)))
            attempts = select(DeliveryAttempt).where(DeliveryAttempt.message_row.in_([each.row for each in messages]))
            found = list(session.scalars(attempts.order_by(DeliveryAttempt.row)))
        return [Delivery(each, [item for item in found if item.message_row == each.row]) for each in messages]


def _find(session: Session, tenant: str, id_: str) -> WebhookEndpoint | None:
    return session.scalar(select(WebhookEndpoint).where(WebhookEndpoint.tenant == tenant, WebhookEndpoint.id == id_))


def _row(endpoint_id: str, nonce: str, key_check: str, now: datetime) -> WebhookSecret:
    return WebhookSecret(endpoint_id=endpoint_id, secret=nonce, key_check=key_check, valid_from=now)

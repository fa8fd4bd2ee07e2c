"""Where callers want to be told of events, and the messages that are on their way there."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables.schema import RowNumber, Schema


class WebhookEndpoint(Schema):
    """An address of a caller, with the events that are sent there."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(index=True)
    url: Mapped[str]
    events: Mapped[list[str]]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    # True if it answered 410, false if its owner disabled it.
    gone: Mapped[bool] = mapped_column(default=False)
    # Since a message to it was given up, until one arrives.
    failing_since: Mapped[datetime | None]
    # It asked to be left alone until then (Retry-After).
    held_until: Mapped[datetime | None]


class WebhookSecret(Schema):
    """What messages to an endpoint are signed with; two are valid while one replaces the other.

    `secret` is a nonce, of which the secret is made with a key outside of the database; `key_check` says
    which key. See `app.store.webhook_secrets`.
    """

    __tablename__ = "webhook_secrets"

    row: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), index=True)
    secret: Mapped[str]
    key_check: Mapped[str]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]


class OutboxMessage(Schema):
    """A message to an endpoint, written in the transaction of what it tells of; without `next_attempt_at`, settled.

    A settled message was delivered or given up, and is kept for a while, so that it can be sent again.
    """

    __tablename__ = "outbox_messages"

    row: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    tenant: Mapped[str]
    event_id: Mapped[str]
    event: Mapped[str]
    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"))
    # Which conversation it tells of, if one: erasing that erases this.
    conversation_id: Mapped[str | None]
    # As text, since every attempt has to send the bytes that were signed.
    payload: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(index=True)
    next_attempt_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("event_id", "endpoint_id"),
        Index("ix_outbox_messages_due", "endpoint_id", "next_attempt_at"),
        Index("ix_outbox_messages_conversation", "tenant", "conversation_id"),
    )


class DeliveryAttempt(Schema):
    """One attempt to deliver a message: when, how long it took, and what came of it; nothing of the answer's body."""

    __tablename__ = "delivery_attempts"

    row: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    message_row: Mapped[int] = mapped_column(ForeignKey("outbox_messages.row", ondelete="CASCADE"), index=True)
    attempted_at: Mapped[datetime]
    duration_ms: Mapped[int]
    outcome: Mapped[str]
    # Null where no answer came.
    status: Mapped[int | None]

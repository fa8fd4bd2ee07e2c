"""Batch jobs and their items, which workers lease from one another."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables.schema import Schema


class Batch(Schema):
    """Conversations that were sent together, to be scored when there is time.

    While it is received, `lease_expires_at` moves on; a batch whose sender has gone is dropped after it.
    """

    __tablename__ = "batches"

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    status: Mapped[str]
    # The same key with the same body is the same batch; with another body it is a conflict.
    idempotency_key: Mapped[str | None]
    body_sha256: Mapped[str | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    # From then on, what is not scored yet is not scored any more.
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    # The batch and all its results are deleted then.
    kept_until: Mapped[datetime | None] = mapped_column(index=True)
    lease_expires_at: Mapped[datetime | None]
    options: Mapped[dict[str, Any]]
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    cancelled: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("tenant", "idempotency_key"),
        Index("ix_batches_listing", "tenant", "created_at", "id"),
        Index("ix_batches_queue", "status", "created_at"),
    )


class BatchItem(Schema):
    """One conversation of a batch: pending, leased, done, failed or cancelled.

    `input` is what was sent, as bytes of JSON, and is erased once there is a result. `result` is the line of the
    batch's results, or of its errors, without its end. `attempts` counts processes that ended while they scored it.
    """

    __tablename__ = "batch_items"

    batch_id: Mapped[str] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    custom_id: Mapped[str | None]
    status: Mapped[str]
    lease_owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    input: Mapped[bytes | None]
    result: Mapped[bytes | None]
    error_code: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("batch_id", "custom_id"),
        # What may be claimed next of a batch.
        Index("ix_batch_items_claim", "batch_id", "status", "attempts", "ordinal"),
        # What is claimed, by whom and for how long.
        Index("ix_batch_items_lease", "status", "lease_owner", "lease_expires_at"),
    )

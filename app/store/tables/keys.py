"""Keys of callers, and how much each was used."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables.schema import Schema


class ApiKey(Schema):
    """A caller's key: its hash, never the key itself. A limit that is null does not bind."""

    __tablename__ = "api_keys"

    # What the key begins with, by which people tell keys apart and the server finds the row.
    id: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    hash: Mapped[str]
    scopes: Mapped[list[str]]
    requests_per_minute: Mapped[int | None]
    turns_per_minute: Mapped[int | None]
    max_body_bytes: Mapped[int | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    rotated_to: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id", ondelete="SET NULL"))
    last_used_at: Mapped[datetime | None]


class KeyUsage(Schema):
    """What a key was used for on one day (UTC)."""

    __tablename__ = "key_usage"

    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger, default=0)
    turns: Mapped[int] = mapped_column(BigInteger, default=0)

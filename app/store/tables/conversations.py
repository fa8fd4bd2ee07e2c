"""Stored conversations, and what is remembered of erased ones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.store.tables.schema import RowNumber, Schema


class StoredConversation(Schema):
    """A scored conversation whose caller asked to keep it.

    `result` is the answer without any words of the conversation; `text` holds its turns, and only if
    the caller asked for that too.
    """

    __tablename__ = "conversations"

    tenant: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str | None]
    agent_id: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    model_version: Mapped[str]
    label_set_version: Mapped[str]
    # Of the result, for lists; null where it abstained.
    risk: Mapped[float | None]
    band: Mapped[str | None]
    empathy: Mapped[float | None]
    result: Mapped[dict[str, Any]]
    text: Mapped[dict[str, Any] | None]

    __table_args__ = (
        Index("ix_conversations_customer", "tenant", "customer_id", "created_at", "id"),
        Index("ix_conversations_agent", "tenant", "agent_id", "created_at", "id"),
    )


class Erasure(Schema):
    """That a conversation was erased, for as long as a backup may still hold it; restoring one erases it again."""

    __tablename__ = "erasures"

    row: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    tenant: Mapped[str]
    # A caller's id may itself be personal data, so only its SHA-256 is kept.
    conversation_sha256: Mapped[str]
    erased_at: Mapped[datetime]
    backups_until: Mapped[datetime] = mapped_column(index=True)

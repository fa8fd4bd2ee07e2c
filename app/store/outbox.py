"""What is to be told to callers' webhooks, written in the transaction of what it tells of.

So a result and the message of it are stored together or not at all: whoever is killed when, no result is
untold and nothing is told that is not so. `app.jobs.deliveries` sends what is here.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from app.store.tables import Batch, OutboxMessage, StoredConversation, WebhookEndpoint


class Event(StrEnum):
    """What callers can be told of."""

    BATCH_COMPLETED = "batch.completed"
    """A batch has ended, and its results can be had."""
    BATCH_FAILED = "batch.failed"
    """A batch has ended without a result for any of its items."""
    CONVERSATION_ALERT = "conversation.alert"
    """A category rang in a live conversation."""
    CONVERSATION_SCORED = "conversation.scored"
    """A score was stored."""


# What an endpoint gets only because its owner asks for it.
TEST = "webhook.test"
_CONVERSATION_ID = "conversation_id"


def announce(session: Session, tenant: str, event: Event, *data: Mapping[str, Any]) -> None:
    """Write a message of each of `data` for each endpoint of the tenant that wants the event.

    Call it in the write session of what it tells of. `data` is JSON: ids, numbers, bands, counts and links,
    and never words of a transcript. A `conversation_id` in it ties the message to that conversation.
    """
    enabled = (
        select(WebhookEndpoint.id, WebhookEndpoint.events)
        .where(WebhookEndpoint.tenant == tenant, WebhookEndpoint.disabled_at.is_(None))
        # One that is deleted meanwhile would make the caller's own work fail.
        .with_for_update(read=True, key_share=True)
    )
    wanting = [id_ for id_, events in session.execute(enabled) if event in events]
    if wanting and data:
        _write(session, tenant, event, wanting, data)


def announce_scored(session: Session, stored: Sequence[StoredConversation]) -> None:
    """Tell that these conversations' scores are stored."""
    for tenant in sorted({conversation.tenant for conversation in stored}):
        told = [
            {
                _CONVERSATION_ID: conversation.id,
                "risk": conversation.risk,
                "band": conversation.band,
                "empathy": conversation.empathy,
                "model_version": conversation.model_version,
                "link": link_of(conversation.id),
            }
            for conversation in stored
            if conversation.tenant == tenant
        ]
        announce(session, tenant, Event.CONVERSATION_SCORED, *told)


def announce_batch(session: Session, batch: Batch, status: str) -> None:
    """Tell that a batch has ended with this final status."""
    counts = {"total": batch.total, "done": batch.done, "failed": batch.failed, "cancelled": batch.cancelled}
    told = {"batch_id": batch.id, "status": status, "counts": counts, "link": f"/v1/batches/{batch.id}"}
    announce(session, batch.tenant, Event.BATCH_COMPLETED if batch.done else Event.BATCH_FAILED, told)


def announce_test(session: Session, endpoint: WebhookEndpoint) -> str:
    """Write a message to one endpoint, whatever it wants to be told of; its id."""
    (event_id,) = _write(session, endpoint.tenant, TEST, [endpoint.id], [{"webhook_id": endpoint.id}])
    return event_id


def forget(session: Session, tenant: str, conversation_ids: Sequence[str]) -> None:
    """Delete all messages that tell of these conversations, sent or not."""
    told = (OutboxMessage.tenant == tenant) & OutboxMessage.conversation_id.in_(conversation_ids)
    session.execute(delete(OutboxMessage).where(told))


def forget_older(session: Session, moment: datetime, limit: int) -> int:
    """Delete up to `limit` messages from before a moment, sent or not; says how many."""
    older = select(OutboxMessage.row).where(OutboxMessage.created_at <= moment).limit(limit)
    rows = list(session.scalars(older))
    if rows:
        session.execute(delete(OutboxMessage).where(OutboxMessage.row.in_(rows)))
    return len(rows)


def link_of(conversation_id: str) -> str:
    """Where a stored conversation is found on the server."""
    return f"/v1/conversations/{quote(conversation_id, safe='')}"


def _write(
    session: Session, tenant: str, event: str, endpoint_ids: Sequence[str], data: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The ids of the messages, one for each of `data`."""
    now = datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    event_ids: list[str] = []
    for item in data:
        # One id for all endpoints, and for all attempts: by it a receiver knows what it has had already.
        event_id = f"msg_{uuid.uuid4().hex}"
        event_ids.append(event_id)
        told = {"type": event, "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "data": item}
        payload = json.dumps(told, separators=(",", ":"), allow_nan=False)
        rows += [
            {
                "tenant": tenant,
                "event_id": event_id,
                "event": str(event),
                "endpoint_id": endpoint_id,
                "conversation_id": item.get(_CONVERSATION_ID),
                "payload": payload,
                "created_at": now,
                "next_attempt_at": now,
                "attempts": 0,
            }
            for endpoint_id in endpoint_ids
        ]
    session.execute(insert(OutboxMessage), rows)
    return event_ids

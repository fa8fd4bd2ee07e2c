"""The tables, one module a noun. Importing this package is what makes `Schema.metadata` complete."""

from app.store.tables.batches import Batch, BatchItem
from app.store.tables.conversations import Erasure, StoredConversation
from app.store.tables.keys import ApiKey, KeyUsage
from app.store.tables.schema import Instant, Schema
from app.store.tables.webhooks import DeliveryAttempt, OutboxMessage, WebhookEndpoint, WebhookSecret

__all__ = [
    "ApiKey",
    "Batch",
    "BatchItem",
    "DeliveryAttempt",
    "Erasure",
    "Instant",
    "KeyUsage",
    "OutboxMessage",
    "Schema",
    "StoredConversation",
    "WebhookEndpoint",
    "WebhookSecret",
]

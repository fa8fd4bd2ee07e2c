"""Conversations to store."""

from __future__ import annotations

from typing import Any

from app.store.tables import StoredConversation


def stored(id_: str = "c-1", tenant: str = "local", **more: Any) -> StoredConversation:
    usual: dict[str, Any] = {
        "customer_id": "k-1",
        "agent_id": "a-1",
        "model_version": "stub",
        "label_set_version": "1",
        "risk": 0.5,
        "band": "medium",
        "empathy": 0.25,
        "result": {"risk": 0.5},
        "text": None,
    }
    return StoredConversation(tenant=tenant, id=id_, **{**usual, **more})

"""The webhooks of a running application: what is stored of them, where they may go, and the worker that sends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from app.api.live.schemas import alert_answers
from app.api.runtime import Runtime
from app.core.alerts import AlertState, Change
from app.core.errors import StoreUnavailable
from app.engine.open_conversations import Held
from app.jobs.deliveries import LEASE, Deliverer, Pace
from app.jobs.destinations import Destinations
from app.jobs.posting import Poster, Resolver
from app.observe import LOGGER
from app.store.delivery_queue import DeliveryQueue
from app.store.outbox import Event
from app.store.webhook_secrets import WebhookSecrets
from app.store.webhooks import Webhooks

# More than wait only where the store does not work; what is over is not told.
_MOST_UNTOLD = 1_000
# An alert's evidence has words.
_TOLD_OF_ALERTS = {"category", "state", "turn_id", "total"}

logger = logging.getLogger(LOGGER)


class WebhookDesk:
    """Belongs to one application."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._telling: set[asyncio.Task[None]] = set()
        settings, database = runtime.settings, runtime.keeper.database
        given = settings.webhook_key.get_secret_value() if settings.webhook_key else None
        secrets = WebhookSecrets(settings.data_dir / "webhook.key", given)
        self.destinations = Destinations(settings.allowed_webhook_hosts)
        self._resolver = Resolver()
        self.webhooks = Webhooks(database, secrets, settings.limits.max_webhooks)
        self._deliverer = Deliverer(
            DeliveryQueue(database, secrets, LEASE),
            Poster(self.destinations, self._resolver).post,
            lambda event, outcome: runtime.metrics.webhook_attempts.labels(event, outcome).inc(),
            Pace(),
        )

    def start(self) -> None:
        """Go on with what waits to be sent; returns at once."""
        self._deliverer.start()

    def wake(self) -> None:
        """Say that there may be something to send."""
        self._deliverer.wake()

    def tell_alerts(self, held: Held, changes: Sequence[Change]) -> None:
        """Announce alerts of a live conversation beside its scoring, which never waits for the store."""
        told = [
            {"conversation_id": held.id, **alert.model_dump(mode="json", include=_TOLD_OF_ALERTS)}
            for alert in alert_answers(held.conversation, changes)
            if alert.state is not AlertState.QUIET
        ]
        if not told or not self._runtime.keeper.database.in_use:
            return
        if len(self._telling) >= _MOST_UNTOLD:
            self._untold(len(told))
            return
        task = asyncio.create_task(self._tell(held.tenant, told))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, tenant: str, told: list[dict[str, Any]]) -> None:
        try:
            await self._runtime.keeper.run(self.webhooks.tell, tenant, Event.CONVERSATION_ALERT, *told)
        except StoreUnavailable:
            self._untold(len(told))
        except Exception:
            logger.exception("an alert could not be told to webhooks")

    def _untold(self, count: int) -> None:
        self._runtime.metrics.webhook_attempts.labels(Event.CONVERSATION_ALERT, "not_stored").inc(count)

    async def close(self) -> None:
        """Stop; what is not sent is sent after the next start."""
        await asyncio.gather(*self._telling)
        await self._deliverer.close()
        self._resolver.close()

"""What webhooks look like on the wire: what is sent to make, change and replay them, and how they are answered."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StrictBool, StrictStr, model_validator
from pydantic_core import PydanticCustomError

from app.api.requests import Strict
from app.jobs.destinations import LONGEST_URL
from app.store.delivery_queue import Outcome
from app.store.outbox import Event
from app.store.tables import WebhookEndpoint
from app.store.webhooks import Delivery, NewWebhook


def _distinct(events: list[Event]) -> list[Event]:
    if len(set(events)) != len(events):
        raise PydanticCustomError("equal_events", "names an event twice; name each once")
    return events


_Events = Annotated[list[Event], Field(min_length=1, max_length=len(Event)), AfterValidator(_distinct)]
_Url = Annotated[StrictStr, Field(min_length=1, max_length=LONGEST_URL)]


class WebhookBody(Strict):
    """A webhook to make."""

    url: _Url = Field(description="Where messages are posted to: https, a public host, port 443 or 8443.")
    events: _Events = Field(description="What to be told of.")
    enabled: StrictBool = Field(default=True, description="Whether messages are written and sent.")


class WebhookChange(Strict):
    """What to change of a webhook; the rest stays."""

    url: _Url | None = Field(None, description="Where messages are posted to from now on, waiting ones too.")
    events: _Events | None = Field(None, description="What to be told of from now on.")
    enabled: StrictBool | None = Field(
        None,
        description="False: no message is written, and those that wait go on waiting. True: they are sent; also after "
        "the webhook was gone.",
    )


def _sensible(since: datetime) -> datetime:
    # Further off, it is no moment in every zone.
    if not 2_000 <= since.year <= 3_000:
        raise PydanticCustomError("far_off", "is too far off; send a moment of these years")
    return since


class ReplayBody(Strict):
    """Which messages to send again."""

    since: Annotated[AwareDatetime, AfterValidator(_sensible)] | None = Field(
        None, description="Those written since this moment that were given up."
    )
    include_delivered: StrictBool = Field(default=False, description="With `since`: those that arrived, too.")
    message_id: Annotated[StrictStr, Field(pattern=r"^msg_[0-9a-f]{32}$")] | None = Field(
        None, description="In place of `since`: this one, whatever became of it."
    )

    @model_validator(mode="after")
    def _one_choice(self) -> ReplayBody:
        if (self.since is None) == (self.message_id is None):
            raise PydanticCustomError("one_choice", "send either `since` or `message_id`")
        return self


class WebhookState(StrEnum):
    """How a webhook does."""

    ACTIVE = "active"
    FAILING = "failing"
    DISABLED = "disabled"
    GONE = "gone"


class WebhookAnswer(BaseModel):
    """A webhook, without its secret."""

    id: str = Field(description="Its id.")
    url: str = Field(description="Where messages are posted to, in its one form.")
    events: list[Event] = Field(description="What it is told of.")
    enabled: bool = Field(description="Whether messages are written and sent.")
    state: WebhookState = Field(
        description="failing: a message was given up after its last attempt, and none has arrived since; gone: it "
        "answered 410 and was disabled."
    )
    created_at: datetime = Field(description="When it was made.")
    failing_since: datetime | None = Field(description="When the first message was given up; null if none was.")


class NewWebhookAnswer(WebhookAnswer):
    """A webhook with a secret that was just made."""

    secret: str = Field(description="What its messages are signed with. It is answered this once.")
    former_secrets_until: datetime | None = Field(description="Until then former secrets sign as well; null if none.")


class WebhookList(BaseModel):
    """A tenant's webhooks."""

    webhooks: list[WebhookAnswer] = Field(description="The oldest first.")


class Replayed(BaseModel):
    """What is sent again."""

    messages: int = Field(description="How many.")


class Tested(BaseModel):
    """A message that tests a webhook."""

    message_id: str = Field(description="Its id; see the webhook's deliveries for what became of it.")


class DeliveryState(StrEnum):
    """How far a message is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class AttemptAnswer(BaseModel):
    """One attempt to deliver a message."""

    attempted_at: datetime = Field(description="When it began.")
    duration_ms: int = Field(description="How long it took.")
    outcome: Outcome = Field(description="What came of it.")
    status: int | None = Field(description="The status that was answered; null if no answer came.")


class DeliveryAnswer(BaseModel):
    """A message to a webhook; neither what it says nor what was answered."""

    message_id: str = Field(description="Its `webhook-id`.")
    event: str = Field(description="What it tells of.")
    state: DeliveryState = Field(description="failed: given up after the last attempt, until it is replayed.")
    created_at: datetime = Field(description="When it was written.")
    delivered_at: datetime | None = Field(description="When it arrived.")
    next_attempt_at: datetime | None = Field(description="Not before then it is sent next; null if it is not.")
    attempts: list[AttemptAnswer] = Field(description="The oldest first.")


class DeliveryList(BaseModel):
    """Some of a webhook's messages."""

    deliveries: list[DeliveryAnswer] = Field(description="The newest first.")
    next_cursor: int | None = Field(description="Send it as `cursor` for those that follow; null if there are none.")


def _state(endpoint: WebhookEndpoint) -> WebhookState:
    if endpoint.disabled_at is not None:
        return WebhookState.GONE if endpoint.gone else WebhookState.DISABLED
    return WebhookState.FAILING if endpoint.failing_since is not None else WebhookState.ACTIVE


def webhook_answer(endpoint: WebhookEndpoint) -> WebhookAnswer:
    """The wire form of a webhook."""
    return WebhookAnswer(
        id=endpoint.id,
        url=endpoint.url,
        events=[Event(event) for event in endpoint.events],
        enabled=endpoint.disabled_at is None,
        state=_state(endpoint),
        created_at=endpoint.created_at,
        failing_since=endpoint.failing_since,
    )


def new_answer(made: NewWebhook) -> NewWebhookAnswer:
    """The wire form of a webhook with its secret."""
    return NewWebhookAnswer(
        **webhook_answer(made.endpoint).model_dump(), secret=made.secret, former_secrets_until=made.former_until
    )


def delivery_answer(delivery: Delivery) -> DeliveryAnswer:
    """The wire form of a message and its attempts."""
    message = delivery.message
    settled = DeliveryState.FAILED if message.delivered_at is None else DeliveryState.DELIVERED
    return DeliveryAnswer(
        message_id=message.event_id,
        event=message.event,
        state=settled if message.next_attempt_at is None else DeliveryState.WAITING,
        created_at=message.created_at,
        delivered_at=message.delivered_at,
        next_attempt_at=message.next_attempt_at,
        attempts=[
            AttemptAnswer(
                attempted_at=each.attempted_at,
                duration_ms=each.duration_ms,
                outcome=Outcome(each.outcome),
                status=each.status,
            )
            for each in delivery.attempts
        ],
    )

"""Webhooks over HTTP: where a caller wants to be told of events, and what became of the messages.

A secret is answered once, when it is made; the bodies of receivers' answers are never kept. How messages are
sent is in `app.jobs.deliveries`, where they may go in `app.jobs.destinations`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, NoReturn

from fastapi import APIRouter, Body, Query, Request, Response

from app.api import problems
from app.api.access.tenant import tenant_of
from app.api.bodies import JsonRoute
from app.api.problems import Fields, Refused
from app.api.requests import field_names
from app.api.runtime import Runtime
from app.api.webhook.desk import WebhookDesk
from app.api.webhook.schemas import (
    DeliveryList,
    NewWebhookAnswer,
    ReplayBody,
    Replayed,
    Tested,
    WebhookAnswer,
    WebhookBody,
    WebhookChange,
    WebhookList,
    delivery_answer,
    new_answer,
    webhook_answer,
)

PATH = "/v1/webhooks"
ONE = f"{PATH}/{{webhook_id}}"
REPLAY = f"{ONE}/replay"
_ID = re.compile(r"wh_[0-9a-f]{24}", re.ASCII)
_MOST_LISTED = 100
_LARGEST_ROW = 2**63 - 1


def fields_of_bodies() -> dict[str, Fields]:
    """The field names of what is sent, by the route's path."""
    return {PATH: field_names(WebhookBody), ONE: field_names(WebhookChange), REPLAY: field_names(ReplayBody)}


def _none() -> NoReturn:
    raise Refused(404, "there is no webhook of this id; it was never made, or has been deleted")


def _checked(webhook_id: str) -> str:
    """The id, if it can be one: a database may take no other characters."""
    return webhook_id if _ID.fullmatch(webhook_id) else _none()


def router(runtime: Runtime, desk: WebhookDesk) -> APIRouter:
    """The routes of this noun."""
    routes = APIRouter(tags=["webhooks"], route_class=JsonRoute)
    run, webhooks = runtime.keeper.run, desk.webhooks

    @routes.post(
        PATH,
        operation_id="createWebhook",
        summary="Be told of events",
        status_code=HTTPStatus.CREATED,
        responses=problems.declared(400, 408, 413, 415, 422, 500, 503),
    )
    async def create(request: Request, response: Response, sent: Annotated[WebhookBody, Body()]) -> NewWebhookAnswer:
        """Messages are signed by the Standard Webhooks specification; keep the secret, it is answered this once."""
        url = desk.destinations.of(sent.url).url
        made = await run(webhooks.create, tenant_of(request), url, sent.events, enabled=sent.enabled)
        desk.wake()
        response.headers["Location"] = f"{PATH}/{made.endpoint.id}"
        return new_answer(made)

    @routes.get(PATH, operation_id="listWebhooks", summary="List webhooks", responses=problems.declared(500, 503))
    async def page(request: Request) -> WebhookList:
        """All of them, without their secrets."""
        found = await run(webhooks.page, tenant_of(request))
        return WebhookList(webhooks=[webhook_answer(endpoint) for endpoint in found])

    @routes.get(ONE, operation_id="getWebhook", summary="Get a webhook", responses=problems.declared(404, 500, 503))
    async def get(request: Request, webhook_id: str) -> WebhookAnswer:
        """How it is set up, and how it does."""
        found = await run(webhooks.get, tenant_of(request), _checked(webhook_id))
        return webhook_answer(found or _none())

    @routes.patch(
        ONE,
        operation_id="changeWebhook",
        summary="Change a webhook",
        responses=problems.declared(400, 404, 408, 413, 415, 422, 500, 503),
    )
    async def change(request: Request, webhook_id: str, sent: Annotated[WebhookChange, Body()]) -> WebhookAnswer:
        """What is left out stays as it is."""
        url = None if sent.url is None else desk.destinations.of(sent.url).url
        changed = await run(webhooks.change, tenant_of(request), _checked(webhook_id), url, sent.events, sent.enabled)
        desk.wake()
        return webhook_answer(changed or _none())

    @routes.delete(
        ONE,
        operation_id="deleteWebhook",
        summary="Delete a webhook",
        status_code=HTTPStatus.NO_CONTENT,
        responses=problems.declared(404, 500, 503),
    )
    async def delete(request: Request, webhook_id: str) -> None:
        """With all its messages, sent or not."""
        if not await run(webhooks.delete, tenant_of(request), _checked(webhook_id)):
            _none()

    @routes.post(
        f"{ONE}/rotate-secret",
        operation_id="rotateWebhookSecret",
        summary="Give a webhook a new secret",
        responses=problems.declared(404, 422, 500, 503),
    )
    async def rotate(
        request: Request,
        webhook_id: str,
        overlap_hours: Annotated[
            int, Query(ge=0, le=168, description="How long former secrets sign as well; 0 if one has leaked.")
        ] = 24,
    ) -> NewWebhookAnswer:
        """Messages carry one signature by each secret that is valid, so that a receiver can change at its leisure."""
        rotated = await run(webhooks.rotate, tenant_of(request), _checked(webhook_id), timedelta(hours=overlap_hours))
        return new_answer(rotated or _none())

    @routes.post(
        REPLAY,
        operation_id="replayWebhook",
        summary="Send messages again",
        status_code=HTTPStatus.ACCEPTED,
        responses=problems.declared(400, 404, 408, 413, 415, 422, 500, 503),
    )
    async def replay(request: Request, webhook_id: str, sent: Annotated[ReplayBody, Body()]) -> Replayed:
        """Under their old ids, and with all attempts anew."""
        count = await run(
            webhooks.replay,
            tenant_of(request),
            _checked(webhook_id),
            sent.since,
            sent.message_id,
            delivered=sent.include_delivered,
        )
        if count is None:
            _none()
        desk.wake()
        return Replayed(messages=count)

    @routes.post(
        f"{ONE}/test",
        operation_id="testWebhook",
        summary="Send a message that only tests",
        status_code=HTTPStatus.ACCEPTED,
        responses=problems.declared(404, 500, 503),
    )
    async def test(request: Request, webhook_id: str) -> Tested:
        """Its type is `webhook.test`; it is signed, sent and tried again as any other."""
        message_id = await run(webhooks.test, tenant_of(request), _checked(webhook_id))
        desk.wake()
        return Tested(message_id=message_id or _none())

    @routes.get(
        f"{ONE}/deliveries",
        operation_id="listWebhookDeliveries",
        summary="List what was sent to a webhook",
        responses=problems.declared(404, 422, 500, 503),
    )
    async def deliveries(
        request: Request,
        webhook_id: str,
        limit: Annotated[int, Query(ge=1, le=_MOST_LISTED, description="How many at most.")] = 20,
        cursor: Annotated[
            int | None, Query(ge=1, le=_LARGEST_ROW, description="`next_cursor` of the answer before.")
        ] = None,
    ) -> DeliveryList:
        """Status codes and times; neither messages nor the bodies of answers."""
        found = await run(webhooks.deliveries, tenant_of(request), _checked(webhook_id), cursor, limit + 1)
        if found is None:
            _none()
        more = found[limit - 1].message.row if len(found) > limit else None
        return DeliveryList(deliveries=[delivery_answer(each) for each in found[:limit]], next_cursor=more)

    return routes

"""POST /v1/score: a conversation in, its score out."""

import asyncio
from collections.abc import Awaitable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Body, Request
from starlette.requests import ClientDisconnect

from app.api import problems
from app.api.bodies import DocumentRoute
from app.api.requests import EXAMPLES, ScoreBody
from app.api.runtime import Runtime
from app.api.schemas import ScoreAnswer, score_answer
from app.core.labels import LABEL_SET_VERSION

T = TypeVar("T")


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled when the caller hangs up."""
    working, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        gone.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


def router(runtime: Runtime, body: type[ScoreBody]) -> APIRouter:
    """The routes of this noun; `body` is the request model with this server's bounds."""
    routes = APIRouter(tags=["scores"], route_class=DocumentRoute)

    @routes.post(
        "/v1/score",
        operation_id="score",
        summary="Score a conversation",
        responses=problems.declared(400, 408, 413, 415, 422, 500, 503, 504),
    )
    async def score(
        request: Request,
        sent: Annotated[body, Body(openapi_examples=EXAMPLES)],  # type: ignore[valid-type]
    ) -> ScoreAnswer:
        """Mis-selling risk with its categories and evidence, empathy, good practice and customer signals."""
        given: ScoreBody = sent
        conversation = given.parsed()
        result = await unless_gone(request, runtime.score(conversation, evidence=given.options.evidence))
        # A long call's answer takes long enough to write that others would notice.
        return await asyncio.to_thread(
            score_answer,
            conversation,
            result,
            model_version=runtime.service.model_version,
            label_set_version=LABEL_SET_VERSION,
            turns=given.options.turns,
        )

    return routes

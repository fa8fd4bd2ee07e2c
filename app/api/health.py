"""GET /livez, /readyz and /metrics: what a supervisor and an operator ask."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from app.api import problems
from app.api.runtime import Runtime
from app.core.errors import StoreUnavailable


class Status(BaseModel):
    """A probe's answer."""

    status: str = Field(description="ok; anything else is a problem document.")


class Readiness(Status):
    """Whether it can score, and store."""

    store: str = Field(
        description="ok, also while nothing is stored; else what is wrong and what to do. It scores nevertheless, "
        "and answers 503 to whoever asks to store."
    )


def router(runtime: Runtime) -> APIRouter:
    """The routes of this noun."""
    routes = APIRouter(tags=["health"])

    @routes.get("/livez", operation_id="livez", summary="Is the process alive?", responses=problems.declared(503))
    async def livez() -> Status:
        """Fails only if a restart is the cure: no forward pass comes to an end."""
        runtime.check_alive()
        return Status(status="ok")

    @routes.get("/readyz", operation_id="readyz", summary="Can it score?", responses=problems.declared(503))
    async def readyz() -> Readiness:
        """Ok if the release is open and a forward pass has just succeeded; `store` names what does not work there.

        A store that fails takes no server out of service, since scores need none; watch `softsell_store_works`.
        """
        await runtime.check_ready()
        try:
            await runtime.keeper.check()
        except StoreUnavailable as error:
            return Readiness(status="ok", store=f"{error.code}: {error}")
        return Readiness(status="ok", store="ok")

    @routes.get(
        "/metrics",
        operation_id="metrics",
        summary="Metrics for Prometheus",
        response_class=PlainTextResponse,
    )
    async def metrics() -> Response:
        """Counters in the text format of Prometheus; nothing of any conversation."""
        return Response(runtime.metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return routes

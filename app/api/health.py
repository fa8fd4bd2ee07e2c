"""GET /livez, /readyz and /metrics: what a supervisor and an operator ask."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from app.api import problems
from app.api.runtime import Runtime


class Status(BaseModel):
    """A probe's answer."""

    status: str = Field(description="ok; anything else is a problem document.")


def router(runtime: Runtime) -> APIRouter:
    """The routes of this noun."""
    routes = APIRouter(tags=["health"])

    @routes.get("/livez", operation_id="livez", summary="Is the process alive?", responses=problems.declared(503))
    async def livez() -> Status:
        """Fails only if a restart is the cure: no forward pass comes to an end."""
        runtime.check_alive()
        return Status(status="ok")

    @routes.get("/readyz", operation_id="readyz", summary="Can it score?", responses=problems.declared(503))
    async def readyz() -> Status:
        """Ok if the release is open and a forward pass has just succeeded."""
        await runtime.check_ready()
        return Status(status="ok")

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

"""Puts the HTTP door together: routes, layers, and the table of problems. Nothing happens at import."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app import __version__
from app.api import health, labels, model, problems, scores, transcripts
from app.api.guards import BodyGuard
from app.api.ledger import Ledger
from app.api.openapi import openapi
from app.api.requests import field_names, score_request
from app.api.runtime import Runtime
from app.core.errors import SoftsellError
from app.settings import Settings

_DESCRIPTION = """Scores sales conversations: mis-selling risk with its category and its evidence, and the
empathy of the agent. Errors are problem documents (RFC 9457). No score is sole ground for a decision
about a person."""


def create_app(settings: Settings) -> FastAPI:
    """An application of its own: state, metrics and model belong to it alone.

    The release is opened when the application starts, not here.
    """
    runtime = Runtime(settings)
    body = score_request(settings.limits)
    fields = field_names(body)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        runtime.start()
        try:
            yield
        finally:
            await runtime.close()

    application = FastAPI(
        title="softsell",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        # FastAPI's own records carry addresses and messages of exceptions; see app/observe.py instead.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    application.state.runtime = runtime
    routers = (
        scores.router(runtime, body),
        transcripts.router(),
        labels.router(),
        model.router(runtime),
        health.router(runtime),
    )
    for router in routers:
        application.include_router(router)

    # The last one added is the outermost.
    application.add_middleware(BodyGuard, limits=settings.limits)
    application.add_middleware(Ledger, metrics=runtime.metrics)

    async def own_error(request: Request, error: Any) -> Response:
        return problems.of_error(problems.request_id_of(request), error)

    async def invalid(request: Request, error: Any) -> Response:
        return problems.of_validation(problems.request_id_of(request), error, fields)

    async def refused(request: Request, error: Any) -> Response:
        return problems.of_http(request, error)

    application.add_exception_handler(SoftsellError, own_error)
    application.add_exception_handler(RequestValidationError, invalid)
    application.add_exception_handler(HTTPException, refused)
    application.openapi = lambda: openapi(application)  # type: ignore[method-assign]
    return application

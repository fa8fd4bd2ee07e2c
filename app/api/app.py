"""Puts the HTTP door together: routes, layers, and the table of problems. Nothing happens at import."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app import __version__
from app.api import conversations, health, labels, model, problems, scores, transcripts
from app.api.access import tickets
from app.api.access.keys import KeyGuard
from app.api.batch import batches
from app.api.batch.desk import BatchDesk
from app.api.documents.openapi import openapi
from app.api.guards import BodyGuard
from app.api.ledger import Ledger
from app.api.live import stream
from app.api.live import turns as live
from app.api.live.sessions import Sessions
from app.api.live.state import LiveState
from app.api.requests import field_names, score_request
from app.api.runtime import Runtime
from app.api.webhook import webhooks
from app.api.webhook.desk import WebhookDesk
from app.core.errors import SoftsellError
from app.settings import Settings

_DESCRIPTION = """Scores sales conversations: mis-selling risk with its category and its evidence, and the
empathy of the agent. Errors are problem documents (RFC 9457). No score is sole ground for a decision
about a person."""


def _path(request: Request) -> str:
    """The path of the route that serves a request, with its parameters' names."""
    return str(getattr(request.scope.get("route"), "path", ""))


def create_app(settings: Settings) -> FastAPI:
    """An application of its own: state, metrics and model belong to it alone.

    The release is opened when the application starts, not here.
    """
    runtime = Runtime(settings)
    body = score_request(settings.limits)
    webhook_desk = WebhookDesk(runtime)
    live_state = LiveState(runtime, webhook_desk.tell_alerts)
    sessions = Sessions(live_state)
    # By the route's path; those of scoring where none is named.
    fields = {live.PATH: field_names(live.append_request(settings.limits)), **webhooks.fields_of_bodies()}
    score_fields = field_names(body)
    desk = BatchDesk(runtime, body)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        runtime.start()
        desk.start()
        live_state.start()
        webhook_desk.start()
        try:
            yield
        finally:
            sessions.close()
            await live_state.close()
            await desk.close()
            await webhook_desk.close()
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
        batches.router(runtime, desk),
        transcripts.router(),
        labels.router(),
        model.router(runtime),
        health.router(runtime),
        tickets.router(runtime.tickets),
        live.router(live_state),
        stream.router(sessions),
        webhooks.router(runtime, webhook_desk),
        # The last: its addresses end with an id that may hold slashes.
        conversations.router(runtime),
    )
    for router in routers:
        application.include_router(router)

    # The last one added is the outermost.
    application.add_middleware(BodyGuard, limits=settings.limits)
    application.add_middleware(KeyGuard, keyring=runtime.keyring, tickets=runtime.tickets)
    application.add_middleware(Ledger, metrics=runtime.metrics)

    async def own_error(request: Request, error: Any) -> Response:
        return problems.of_error(
            problems.request_id_of(request), error, "/turns" if _path(request) == live.PATH else "/conversation/turns"
        )

    async def invalid(request: Request, error: Any) -> Response:
        return problems.of_validation(problems.request_id_of(request), error, fields.get(_path(request), score_fields))

    async def refused(request: Request, error: Any) -> Response:
        return problems.of_http(request, error)

    application.add_exception_handler(SoftsellError, own_error)
    application.add_exception_handler(RequestValidationError, invalid)
    application.add_exception_handler(HTTPException, refused)
    application.openapi = lambda: openapi(application)  # type: ignore[method-assign]
    return application

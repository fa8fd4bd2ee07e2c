"""The outermost layer: every request gets an id, an answer, one log line and its place in the metrics.

It catches what nothing below did, so that neither the web framework nor the server logs an
exception with its message. It is an ASGI application around another.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import problems
from app.core.errors import Overloaded
from app.observe import LOGGER, Metrics

REQUEST_ID_HEADER = "X-Request-ID"
# What is counted for a caller who hung up before the answer; never sent.
CLIENT_GONE = 499
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNMATCHED = "unmatched"

logger = logging.getLogger(LOGGER)


def request_id(given: str | None) -> str:
    """The caller's id if it is a short token, else a new one: ids go into logs and headers."""
    return given if given and _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


class Ledger:
    """Books every request: received, and answered with a status, or left by its caller."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id_ = request_id(Headers(scope=scope).get(REQUEST_ID_HEADER))
        scope.setdefault("state", {})["request_id"] = id_
        status = 0
        done = False

        async def noting_send(message: Message) -> None:
            nonlocal status, done
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = id_
            elif message["type"] == "http.response.body":
                done = not message.get("more_body", False)
            await send(message)

        started = time.monotonic()
        self._metrics.received.inc()
        self._metrics.in_flight.inc()
        failure: BaseException | None = None
        try:
            await self._app(scope, receive, noting_send)
        except ClientDisconnect:
            status = status if done else CLIENT_GONE
        except asyncio.CancelledError:
            # The server shuts down and waits no longer.
            if not status:
                detail = "the server is shutting down; try again"
                await problems.of_error(id_, Overloaded(detail, retry_after_s=1))(scope, receive, noting_send)
            raise
        except Exception as error:
            failure = error
            if not status:
                await problems.response(id_, 500)(scope, receive, noting_send)
        finally:
            self._book(scope, id_, status or CLIENT_GONE, time.monotonic() - started, failure)

    def _book(self, scope: Scope, id_: str, status: int, duration_s: float, failure: BaseException | None) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        route = getattr(scope.get("route"), "path", _UNMATCHED)
        self._metrics.in_flight.dec()
        self._metrics.answered.labels(method, route, str(status)).inc()
        self._metrics.duration_s.labels(route).observe(duration_s)
        fields = {
            "request_id": id_,
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": round(duration_s * 1000, 1),
        }
        if (caller := scope["state"].get("caller")) and caller.key_id:
            fields["key"] = caller.key_id
        level = logging.ERROR if failure else logging.INFO
        logger.log(level, "request", extra={"fields": fields}, exc_info=failure)

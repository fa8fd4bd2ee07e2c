"""Bounds on a request's body, before anything reads it: kind, size and time.

The whole body is taken in here, at most `limits.max_body_bytes` within `limits.body_timeout_s`
seconds, and handed on as one piece; so no route can forget it, chunked bodies are bounded like
others, and a caller who sends half a body does not hold a request open. A batch alone is handed on as
it comes in, within bounds of its own.
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import problems
from app.api.problems import Refused
from app.engine.limits import Limits

_BATCHES = ("POST", "/v1/batches")


class BodyGuard:
    """Answers 408, 413 and 415 itself; hands everything else on with its body complete."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if "content-length" not in headers and "transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        if (scope["method"], scope["path"]) == _BATCHES:
            await self._app(scope, self._stream(headers, receive), send)
            return
        try:
            body = await self._body(headers, receive, self._most_bytes(scope))
        except Refused as refusal:
            # After a timeout the rest of the body would be taken for the next request.
            closing = {"Connection": "close"} if refusal.status_code == 408 else None
            answer = problems.response(
                scope["state"]["request_id"],
                refusal.status_code,
                refusal.detail,
                code=refusal.code,
                headers=closing,
            )
            await answer(scope, receive, send)
            return
        handed_on = False

        async def replay() -> Message:
            nonlocal handed_on
            if handed_on:
                return await receive()
            handed_on = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    def _most_bytes(self, scope: Scope) -> int:
        # A key's own limit, see `app.api.access.keys`.
        own = scope["state"].get("max_body_bytes")
        return self._limits.max_body_bytes if own is None else min(self._limits.max_body_bytes, own)

    def _stream(self, headers: Headers, receive: Receive) -> Receive:
        """`receive`, which raises `Refused` where a batch's body is over a bound."""
        most = self._limits.max_batch_bytes
        ends = asyncio.get_running_loop().time() + self._limits.batch_body_timeout_s
        size, more = 0, True

        async def bounded() -> Message:
            nonlocal size, more
            if not more:
                return await receive()
            if not size:
                self._check(headers, most)
            pause_ends = asyncio.get_running_loop().time() + self._limits.body_timeout_s
            try:
                async with asyncio.timeout_at(min(ends, pause_ends)):
                    message = await receive()
            except TimeoutError:
                refusal = Refused(408, "the rest of the body did not come in time; send it again")
                # What still comes would be taken for the next request.
                refusal.headers = {"Connection": "close"}
                raise refusal from None
            size += len(message.get("body", b""))
            if size > most:
                raise self._too_large(most)
            more = message.get("more_body", False)
            return message

        return bounded

    @staticmethod
    def _too_large(most: int) -> Refused:
        return Refused(413, f"the limit is {most} bytes; send fewer or shorter turns")

    def _check(self, headers: Headers, most: int) -> None:
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise Refused(415, "compressed bodies are not read; send the document as it is", "unsupported_encoding")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 18 or int(length) > most:
            raise self._too_large(most)

    async def _body(self, headers: Headers, receive: Receive, most: int) -> bytes:
        self._check(headers, most)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_timeout_s):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    part = message.get("body", b"")
                    size += len(part)
                    if size > most:
                        raise self._too_large(most)
                    parts.append(part)
                    more = message.get("more_body", False)
        except TimeoutError:
            raise Refused(408, f"the body was not complete after {self._limits.body_timeout_s:g} s") from None
        return b"".join(parts)

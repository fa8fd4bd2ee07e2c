"""uvicorn's HTTP and WebSocket protocols with the bounds on a connection that they lack.

uvicorn waits for ever for the rest of a request's header, takes headers of any size, and keeps a
connection whose other end does not read. No ASGI layer can help, since none is called before the
header is complete. Bodies are bounded in `app.api.guards`, idle connections by uvicorn's own
keep-alive.
"""

from __future__ import annotations

import asyncio
from asyncio.events import TimerHandle
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from app.api import problems

HEADER_TIMEOUT_S = 10.0
MAX_HEADER_BYTES = 65_536
# How long a closing connection may take to have its answer read.
CLOSING_TIMEOUT_S = 10.0
# How long the other end of a WebSocket may leave unread what it was sent.
UNREAD_TIMEOUT_S = 10.0
# RFC 6455, section 7.4.1.
_POLICY_VIOLATION = 1008


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection that has not sent a whole header in time or within the size."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_deadline: TimerHandle | None = None
        self._header_bytes = 0
        self._in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of the first header."""
        super().connection_made(transport)
        self._await_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._header_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before the end of a header; the first byte after an answer starts its clock.

        That byte may also belong to a body that was refused before its end: it is read on, so that
        the caller sees the answer, but no longer than a header may take.
        """
        if self._header_deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._await_header()
        if self._header_deadline is not None and not self._in_body:
            self._header_bytes += len(data)
        super().data_received(data)
        # Once the header is there, the clock has stopped and what follows is body.
        if self._header_deadline is not None and self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(431, "header_too_large", f"a request's header has at most {MAX_HEADER_BYTES} bytes")

    def on_headers_complete(self) -> None:
        """The header is there; from here on the application watches the time."""
        self._header_arrived()
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there, or there is none; what follows is the next header."""
        self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own words are not sent
        """Answer what is no HTTP with a problem document, as everything else."""
        self._refuse(400, "invalid_http", "this is no HTTP/1.1 request")

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also if its last answer is never read."""
        self._close()

    def _await_header(self) -> None:
        self._header_bytes = 0
        self._header_deadline = self.loop.call_later(HEADER_TIMEOUT_S, self._close)

    def _header_arrived(self) -> None:
        if self._header_deadline is not None:
            self._header_deadline.cancel()
            self._header_deadline = None

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
            self.loop.call_later(CLOSING_TIMEOUT_S, self.transport.abort)

    def _refuse(self, status: int, code: str, detail: str) -> None:
        if self.transport.is_closing():
            return
        answer = problems.response("", status, detail, code=code)
        head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(), b"connection: close"]
        head += [name + b": " + value for name, value in answer.raw_headers]
        self.transport.write(b"\r\n".join(head) + b"\r\n\r\n" + bytes(answer.body))
        self._close()


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """Cuts off whoever does not read, and does not wait for a close that nobody takes in."""

    async def send(self, message: Any) -> None:
        """Send what the application gives. Raises `ClientDisconnected` if the other end has gone, or does not read."""
        try:
            async with asyncio.timeout(UNREAD_TIMEOUT_S):
                await self.writable.wait()
        except TimeoutError:
            self._cut_off()
            raise ClientDisconnected from None
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            # uvicorn would log a refusal as a failure of the application.
            self.handshake_complete = True

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """The application is done: what is unsent some time later is not sent."""
        super().on_task_complete(task)
        self.loop.call_later(CLOSING_TIMEOUT_S, self.transport.abort)

    def _cut_off(self) -> None:
        self.stop_keepalive()
        if not self.close_sent and self.handshake_complete:
            self.conn.send_close(_POLICY_VIOLATION, "what was sent was not read in time")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": _POLICY_VIOLATION})
        self.transport.close()

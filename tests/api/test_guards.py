"""The layers around the application, called as a server calls them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from app.api.guards import BodyGuard
from app.api.ledger import Ledger
from app.engine.limits import Limits
from app.observe import Metrics

LIMITS = Limits(max_body_bytes=100, body_timeout_s=0.2)


class Caller:
    """One request: gives `parts` of a body, then `last`, and keeps what it is answered."""

    def __init__(self, parts: list[bytes], *headers: tuple[bytes, bytes], last: Message | None = None) -> None:
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "headers": list(headers) or [(b"transfer-encoding", b"chunked")],
            "state": {"request_id": "r"},
        }
        self.messages = self._messages(parts, last)
        self.read = 0
        self.status = 0
        self.body = b""
        self.headers: dict[bytes, bytes] = {}

    async def _messages(self, parts: list[bytes], last: Message | None) -> AsyncIterator[Message]:
        for part in parts:
            self.read += len(part)
            yield {"type": "http.request", "body": part, "more_body": True}
        if last is not None:
            yield last
        await asyncio.Event().wait()

    async def receive(self) -> Message:
        return await anext(self.messages)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = dict(message["headers"])
        else:
            self.body += message["body"]

    def call(self, app: Callable[[Scope, Receive, Send], Any]) -> None:
        asyncio.run(asyncio.wait_for(app(self.scope, self.receive, self.send), 5))

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["code"])


async def never(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("the application was called")


END: Message = {"type": "http.request", "body": b"", "more_body": False}


def test_a_body_without_length_is_read_no_further_than_the_limit() -> None:
    caller = Caller([b"x" * 40] * 1000)
    caller.call(BodyGuard(never, LIMITS))
    assert (caller.status, caller.code, caller.read) == (413, "body_too_large", 120)


def test_a_length_over_the_limit_is_refused_unread() -> None:
    caller = Caller([b"x"] * 101, (b"content-length", b"101"))
    caller.call(BodyGuard(never, LIMITS))
    assert (caller.status, caller.read) == (413, 0)
    assert "100 bytes" in json.loads(caller.body)["detail"]


def test_half_a_body_is_waited_for_until_the_deadline_however_it_drips() -> None:
    async def drip(caller: Caller) -> AsyncIterator[Message]:
        while True:
            await asyncio.sleep(0.02)
            yield {"type": "http.request", "body": b"x", "more_body": True}

    for caller in (Caller([b"x"], (b"content-length", b"9")), Caller([])):
        if not caller.read:
            caller.messages = drip(caller)
        caller.call(BodyGuard(never, LIMITS))
        assert (caller.status, caller.code) == (408, "body_timeout")
        assert caller.headers[b"connection"] == b"close"


def test_the_application_gets_the_body_in_one_piece_and_then_the_hang_up() -> None:
    received: list[Message] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        received.extend([await receive(), await receive()])

    async def messages() -> AsyncIterator[Message]:
        for part in (b"ab", b"c"):
            yield {"type": "http.request", "body": part, "more_body": True}
        yield END
        yield {"type": "http.disconnect"}

    caller = Caller([])
    caller.messages = messages()
    caller.call(BodyGuard(application, LIMITS))
    assert received == [
        {"type": "http.request", "body": b"abc", "more_body": False},
        {"type": "http.disconnect"},
    ]


def test_a_caller_who_hangs_up_is_booked_and_not_answered() -> None:
    metrics = Metrics()
    caller = Caller([b"x"], last={"type": "http.disconnect"})
    caller.call(Ledger(BodyGuard(never, LIMITS), metrics))
    assert caller.status == 0
    assert b'status="499"} 1.0' in metrics.render()
    assert metrics.registry.get_sample_value("softsell_requests_in_flight") == 0


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [(RuntimeError("secret"), 500, "internal_error"), (asyncio.CancelledError(), 503, "overloaded")],
)
def test_whatever_is_raised_gets_an_answer_and_its_place_in_the_books(
    failure: BaseException, status: int, code: str
) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise failure

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await Ledger(broken, metrics)(scope, receive, send)
        except asyncio.CancelledError:
            cancelled.append(True)

    metrics, caller, cancelled = Metrics(), Caller([]), list[bool]()
    caller.call(served)
    assert (caller.status, caller.code) == (status, code)
    assert b"secret" not in caller.body
    assert cancelled == ([True] if isinstance(failure, asyncio.CancelledError) else [])
    assert f'status="{status}"}} 1.0'.encode() in metrics.render()
    assert metrics.registry.get_sample_value("softsell_requests_in_flight") == 0


def test_a_hang_up_during_the_work_is_no_error() -> None:
    async def gone(scope: Scope, receive: Receive, send: Send) -> None:
        raise ClientDisconnect

    metrics, caller = Metrics(), Caller([])
    caller.call(Ledger(gone, metrics))
    assert caller.status == 0
    assert b'status="499"} 1.0' in metrics.render()

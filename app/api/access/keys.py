"""The layer that asks who calls: a key, its scope and its rate, before anything of the body is read.

A key comes as `Authorization: Bearer` (RFC 6750) or `X-API-Key`; a WebSocket may be opened with a ticket
instead, see `app.api.access.tickets`. It is never taken from a URL. Which scope an address needs is in
`app.api.access.scopes`.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import problems
from app.api.access.keyring import Keyring
from app.api.access.scopes import scopes_of
from app.api.access.tenant import Caller
from app.api.access.tickets import PROTOCOL, Tickets, ticket_of
from app.api.problems import KeyRefused, ScopeMissing
from app.core.errors import SoftsellError
from app.store.keys import KnownKey

_REALM = 'Bearer realm="softsell"'
# RFC 6455: the caller may not come in.
_POLICY_VIOLATION = 1008


def presented(headers: Headers) -> str | None:
    """The key that a request brings, if any."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return headers.get("x-api-key", "").strip() or None


class KeyGuard:
    """Answers 401, 403 and 429 itself; hands everything else on with its `Caller`.

    Without a keyring, nobody is asked for a key.
    """

    def __init__(self, app: ASGIApp, keyring: Keyring | None, tickets: Tickets) -> None:
        self._app = app
        self._keyring = keyring
        self._tickets = tickets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or one WebSocket."""
        if scope["type"] == "websocket":
            ticket, scope, send = _without_ticket(scope, send)
        elif scope["type"] == "http":
            ticket = None
        else:
            await self._app(scope, receive, send)
            return
        needed = scopes_of(scope.get("method", "GET"), scope["path"])
        if self._keyring is None or not needed:
            await self._app(scope, receive, send)
            return
        rates, key = self._keyring.rates, None
        secret = presented(Headers(scope=scope))
        try:
            key = await self._key(self._keyring, secret, ticket)
            rates.take_request(key)
            self._keyring.use(key, requests=1)
            state = scope.setdefault("state", {})
            state["caller"] = Caller(key.tenant, key.id)
            state["max_body_bytes"] = key.limits.max_body_bytes
            if not needed & key.scopes:
                missing = " or ".join(sorted(needed))
                raise ScopeMissing(f"this needs a key with the scope {missing}; ask for one", " ".join(sorted(needed)))
        except SoftsellError as error:
            fields = rates.fields(key) if key else []
            await _refuse(scope, receive, send, error, fields, came=bool(secret or ticket))
            return

        async def telling_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Read now: the turns of this request have been counted meanwhile.
                message["headers"] = [*message["headers"], *rates.fields(key)]
                if message["status"] == 401:
                    MutableHeaders(scope=message).setdefault("WWW-Authenticate", f'{_REALM}, error="invalid_token"')
            await send(message)

        await self._app(scope, receive, telling_send)

    async def _key(self, keyring: Keyring, secret: str | None, ticket: str | None) -> KnownKey:
        if secret is not None:
            return await keyring.find(secret)
        if ticket is not None:
            key_id = self._tickets.redeem(ticket)
            if key_id is None:
                raise KeyRefused("this ticket is not valid: unknown, used or too old; get a new one")
            return keyring.still(key_id)
        raise KeyRefused("send a key as `Authorization: Bearer KEY` or as `X-API-Key: KEY`")


def _without_ticket(scope: Scope, send: Send) -> tuple[str | None, Scope, Send]:
    """The ticket that a WebSocket was offered with, which goes no further, neither inwards nor back."""
    offered: list[str] = list(scope.get("subprotocols", ()))
    ticket = ticket_of(offered)
    if ticket is None:
        return None, scope, send

    async def answering_send(message: Message) -> None:
        if message["type"] == "websocket.accept" and not message.get("subprotocol") and PROTOCOL in offered:
            message = {**message, "subprotocol": PROTOCOL}
        await send(message)

    headers = [pair for pair in scope["headers"] if pair[0] != b"sec-websocket-protocol"]
    rest = [item for item in offered if item != ticket]
    return ticket, {**scope, "subprotocols": rest, "headers": headers}, answering_send


async def _refuse(
    scope: Scope, receive: Receive, send: Send, error: SoftsellError, fields: list[tuple[bytes, bytes]], *, came: bool
) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": type(error).code})
        return
    answer = problems.of_error(scope.get("state", {}).get("request_id", ""), error)
    answer.headers.update(_challenge(error, came=came))
    answer.raw_headers.extend(fields)
    await answer(scope, receive, send)


def _challenge(error: SoftsellError, *, came: bool) -> Mapping[str, str]:
    """What RFC 6750 wants to be told to whose key does not do."""
    if isinstance(error, KeyRefused):
        return {"WWW-Authenticate": f'{_REALM}, error="invalid_token"' if came else _REALM}
    if isinstance(error, ScopeMissing):
        return {"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{error.scope}"'}
    return {}

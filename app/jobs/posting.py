"""Sends one message to one webhook, and connects to nothing that may not be sent to.

Whoever registers a webhook commands this server to connect somewhere, so the host is resolved once, every
address that it has is judged, and the connection goes to an address that was judged: the name is never
resolved again, and TLS and the header Host still have the name. httpcore2 is used as it is, below httpx2:
that has no redirects, cookies, proxies or settings of the environment that would have to be turned off.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial

import httpcore2
from httpcore2 import SOCKET_OPTION, AsyncNetworkBackend, AsyncNetworkStream

from app.jobs.destinations import Destinations, is_public
from app.store.delivery_queue import Outcome
from app.store.webhooks import InvalidWebhook

CONNECT_S = 5.0
# In all: looking up, connecting, sending, and waiting for the answer's header.
WHOLE_S = 15.0
_MOST_ADDRESSES = 4
_LOOK_UPS = 16
_MOST_WAIT_S = 24 * 3_600.0

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook answered, or why it did not."""

    outcome: Outcome
    status: int | None = None
    # What the header Retry-After asks for, with 429 and 503.
    retry_after_s: float | None = None


class AddressRefused(Exception):
    """The host has an address that may not be connected to."""


class Resolver:
    """The system's resolver, in threads of its own: a name server that is slow on purpose holds up nothing else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOK_UPS, thread_name_prefix="dns")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """All addresses of a host. Raises OSError."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def close(self) -> None:
        """Stop; what is being looked up is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedBackend(AsyncNetworkBackend):
    """Connects to judged addresses only; see the top of the file."""

    def __init__(self, destinations: Destinations, look_up: Resolve) -> None:
        self._destinations = destinations
        self._look_up = look_up
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Connect. Raises `AddressRefused` if any of the host's addresses is not public, or `ConnectError`."""
        try:
            addresses = await self._look_up(host, port)
        except (OSError, UnicodeError):
            addresses = []
        if not self._destinations.allows(host, port) and not all(map(is_public, addresses)):
            raise AddressRefused
        failure: Exception = httpcore2.ConnectError("the host has no address")
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore2 wants it of a backend."""
        await asyncio.sleep(seconds)


class Poster:
    """Sends messages; belongs to the event loop it is first used in."""

    def __init__(self, destinations: Destinations, look_up: Resolve, trusted: ssl.SSLContext | None = None) -> None:
        """`trusted` says whose certificates are believed; if not given, those that the system believes."""
        self._destinations = destinations
        self._backend = GuardedBackend(destinations, look_up)
        self._trusted = trusted

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, whole_s: float = WHOLE_S) -> Answer:
        """Send a message and look at the answer's status; its body is not read. Never raises but when cancelled."""
        try:
            destination = self._destinations.of(url)
        except InvalidWebhook:
            return Answer(Outcome.ADDRESS_REFUSED)
        if self._trusted is None:
            self._trusted = await asyncio.to_thread(ssl.create_default_context)
        target = httpcore2.URL(
            scheme=destination.scheme, host=destination.host, port=destination.port, target=destination.target
        )
        sent = {"Host": destination.authority, "Content-Length": str(len(body)), "Connection": "close", **headers}
        # A connection of its own: none is held open to a webhook, and none outlives what was judged.
        connection = httpcore2.AsyncHTTPConnection(
            target.origin, ssl_context=self._trusted, network_backend=self._backend
        )
        try:
            async with asyncio.timeout(whole_s):
                async with (
                    connection,
                    connection.stream(
                        "POST",
                        target,
                        headers=list(sent.items()),
                        content=body,
                        extensions={"timeout": {"connect": CONNECT_S, "read": whole_s, "write": whole_s}},
                    ) as response,
                ):
                    return _read(response)
        except AddressRefused:
            return Answer(Outcome.ADDRESS_REFUSED)
        except (TimeoutError, httpcore2.TimeoutException):
            return Answer(Outcome.TIMED_OUT)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            return Answer(Outcome.NOT_TRUSTED if _is_of_certificate(error) else Outcome.UNREACHABLE)


def _read(response: httpcore2.Response) -> Answer:
    status = response.status
    if 200 <= status < 300:
        return Answer(Outcome.DELIVERED, status)
    if 300 <= status < 400:
        return Answer(Outcome.REDIRECTED, status)
    if status == 410:
        return Answer(Outcome.GONE, status)
    if status in (429, 503):
        given = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"")
        return Answer(Outcome.ASKED_TO_WAIT, status, wait_s(given.decode("latin-1"), datetime.now(UTC)))
    return Answer(Outcome.REJECTED, status)


def wait_s(retry_after: str, now: datetime) -> float | None:
    """What a header Retry-After asks for: seconds or a date (RFC 9110), a day at the most; None if it is neither."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after[:9]), _MOST_WAIT_S)
    try:
        moment = parsedate_to_datetime(retry_after)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), _MOST_WAIT_S)


def _is_of_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False

"""One HTTP/1.1 connection to this machine that asks and reads to the end of each answer, at little cost."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass

HOST = "127.0.0.1"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_RETRY = re.compile(rb"\r\nretry-after:", re.IGNORECASE)
# Of a whole call's answer, which is some 100 kB.
_LARGEST_HEAD = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` is the HTTP status, or `timeout` or `connection` where none came."""

    status: str
    seconds: float
    body: bytes = b""
    retry_after: bool = False

    @property
    def ok(self) -> bool:
        """Whether it is an answer to what was asked."""
        return self.status == "200"


class Connection:
    """Opened when first needed, and again after it was closed."""

    def __init__(self, port: int, timeout_s: float) -> None:
        self._port = port
        self._timeout_s = timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, content: bytes) -> Answer:
        """Send a request and read its answer; never raises but when cancelled."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_s):
                head, body = await self._exchange(content)
        except TimeoutError:
            self.close()
            return Answer("timeout", time.perf_counter() - began)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            self.close()
            return Answer("connection", time.perf_counter() - began)
        except asyncio.CancelledError:
            self.close()
            raise
        seconds = time.perf_counter() - began
        if _CLOSE.search(head):
            self.close()
        return Answer(head[9:12].decode("ascii", "replace"), seconds, body, _RETRY.search(head) is not None)

    async def _exchange(self, content: bytes) -> tuple[bytes, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(HOST, self._port, limit=_LARGEST_HEAD)
        reader, writer = self._streams
        writer.write(content)
        head = await reader.readuntil(b"\r\n\r\n")
        if length := _LENGTH.search(head):
            return head, await reader.readexactly(int(length.group(1)))
        if not _CHUNKED.search(head):
            return head, b""
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
        return head, body

    def close(self) -> None:
        """Close it; the next question opens it anew."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

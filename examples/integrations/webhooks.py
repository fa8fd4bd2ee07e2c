"""A small receiver of webhooks: checks who calls, answers at once, and works afterwards. Standard library only.

Vendors wait a few seconds for an answer; a long call may take longer to score. So events go to a queue in memory,
which ends with the process: put a real queue in its place where no event may be lost.
"""

from __future__ import annotations

import hmac
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

log = logging.getLogger("relay")
_LARGEST_BODY = 1_000_000
_MOST_WAITING = 1_000


class Incoming(NamedTuple):
    """A request as it came in; `url` is the one that the vendor called, before any proxy."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def same(expected: str, sent: str | None) -> bool:
    """Whether a signature is the expected one, compared in constant time."""
    return hmac.compare_digest(expected.encode(), (sent or "").encode())


class Relay(ThreadingHTTPServer):
    """Calls `genuine` for each request and, in one thread of its own, `work` for each genuine one."""

    daemon_threads = True

    def __init__(
        self,
        port: int,
        public_url: str,
        genuine: Callable[[Incoming], bool],
        work: Callable[[Incoming], Any],
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__((host, port), _Handler)
        self.public_url = public_url.rstrip("/")
        self.genuine, self.work = genuine, work
        self.waiting: queue.Queue[Incoming] = queue.Queue(_MOST_WAITING)
        threading.Thread(target=self._work_off, daemon=True).start()

    def _work_off(self) -> None:
        while True:
            incoming = self.waiting.get()
            try:
                self.work(incoming)
            except Exception as error:
                # The kind only: a message may hold what was sent.
                log.error("an event was not worked off: %s", type(error).__name__)
            finally:
                self.waiting.task_done()


class _Handler(BaseHTTPRequestHandler):
    timeout = 10
    server: Relay

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LARGEST_BODY:
            self._answer(413)
            return
        url = self.server.public_url + self.path
        incoming = Incoming("POST", url, self.headers, self.rfile.read(int(length)))
        if not self.server.genuine(incoming):
            self._answer(403)
            return
        try:
            self.server.waiting.put_nowait(incoming)
        except queue.Full:
            self._answer(503)
            return
        self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status == 503:
            self.send_header("Retry-After", "30")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log no URLs: they may carry ids of customers."""

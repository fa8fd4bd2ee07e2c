"""A house for the examples: a server that is softsell, with the stub engine, and the vendor's API at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from fastapi.testclient import TestClient

PUBLIC_URL = "https://relay.example.com"
Loaded = Callable[[str], Any]
"""Gives an example as a module, by its name."""


class Asked(NamedTuple):
    """A request that the house was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class House(ThreadingHTTPServer):
    """Hands `/v1/` to the application and answers the rest from `answers`, by method and path."""

    daemon_threads = True

    def __init__(self, client: TestClient) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.client = client
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.answers: dict[tuple[str, str], Any] = {}
        # Statuses with headers to answer the next calls of softsell with.
        self.refusals: list[tuple[int, dict[str, str]]] = []
        self.asked: list[Asked] = []
        self.scored: list[dict[str, Any]] = []

    def calls(self, method: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == method and not asked.path.startswith("/v1/")]


class _Handler(BaseHTTPRequestHandler):
    server: House

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(Asked(self.command, self.path, dict(self.headers), body))
        if self.path.startswith("/v1/"):
            if self.server.refusals:
                status, headers = self.server.refusals.pop(0)
                self._send(status, b"", headers)
                return
            kind = {"Content-Type": self.headers.get("Content-Type", "")}
            answer = self.server.client.request(self.command, self.path, content=body, headers=kind)
            if answer.status_code == 200:
                self.server.scored.append(answer.json())
            self._send(answer.status_code, answer.content, {})
            return
        found = self.server.answers.get((self.command, self.path))
        self._send(404 if found is None else 200, json.dumps(found).encode(), {})

    do_GET = do_POST = do_PUT = do_PATCH = _any  # noqa: N815

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)

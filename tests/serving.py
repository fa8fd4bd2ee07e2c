"""An application with the stub model to test against, in this process or in one of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from app.api.app import create_app
from app.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
JSON = {"Content-Type": "application/json"}
# A short call, turn by turn, of which the stub model knows some words.
CALL = [
    ("1", "agent", "What do you need? This one is guaranteed."),
    ("2", "customer", "I need to think, no."),
    ("3", "agent", "Hurry, it is free."),
    ("4", "bot", "Thank you for holding."),
    ("5", "agent", "I understand, it costs ten pounds. Do you agree?"),
    ("6", "customer", "How? I am angry."),
]

Opened = Callable[..., AbstractContextManager[TestClient]]


def wait_until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.01)


@contextmanager
def open_client(settings: Settings | None = None) -> Iterator[TestClient]:
    """A client of an application whose model is loaded."""
    with TestClient(create_app(settings or Settings(engine="stub"))) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


def conversation(*turns: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {"conversation": {"turns": [{"role": role, "text": text} for role, text in turns], **more}}


class Served:
    """softsell in a process of its own."""

    def __init__(self, *prelude: str, **environment: str) -> None:
        code = "\n".join([*prelude, "from app.api.server import serve", "from app.settings import Settings"])
        settings = {"SOFTSELL_ENGINE": "stub", "SOFTSELL_PORT": "0", **environment}
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"{code}\nserve(Settings())"],
            cwd=ROOT,
            env={**os.environ, **settings},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.log: list[dict[str, Any]] = []
        self.port = 0
        # Read all the time: a full pipe would stop the server.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_until(lambda: bool(self.port) or self.process.poll() is not None, 30)
        assert self.port, f"softsell did not start: {self.log}"

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                if line.startswith("{"):
                    self.log.append(json.loads(line))
                    if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", self.log[-1]["message"]):
                        self.port = int(found.group(1))

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def ask(self, request: bytes) -> bytes:
        """All that comes back on a connection of its own."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_all(connection)

    def get(self, path: str) -> bytes:
        return self.ask(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())

    def wait_ready(self) -> None:
        wait_until(lambda: b" 200 " in self.get("/readyz").partition(b"\r\n")[0])

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def ended(self, within_s: float) -> int:
        """The exit code; `log` is complete then."""
        code = self.process.wait(within_s)
        self._reader.join(5)
        return code


def read_all(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(65_536):
        received += part
    return received


def read_answer(connection: socket.socket) -> bytes:
    """One answer of a connection that stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65_536) or b"\r\n\r\n"
    head = received.partition(b"\r\n\r\n")[0]
    length = int(re.search(rb"content-length: (\d+)", head).group(1))  # type: ignore[union-attr]
    while len(received) < len(head) + 4 + length:
        received += connection.recv(65_536)
    return received


def post(body: bytes, *headers: str, length: int | None = None) -> bytes:
    """A request to score, as bytes."""
    lines = ["POST /v1/score HTTP/1.1", "Host: x", "Content-Type: application/json", *headers]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

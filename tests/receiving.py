"""A receiver of webhooks that answers as it is told and remembers what came."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from standardwebhooks import Webhook


class Got(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """The message. Raises `WebhookVerificationError`."""
        found: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return found


Answer = Callable[[BaseHTTPRequestHandler], None]


def status(code: int, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": "0", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    return answer


class Receiver(ThreadingHTTPServer):
    daemon_threads = True
    # Threads of handlers that hang end with the test process.
    block_on_close = False

    def __init__(self, *answers: Answer) -> None:
        """The last answer is given for ever."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = list(answers) or [status(204)]
        self.got: list[Got] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/hook?x=1"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.got.append(Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            answers = self.server.answers
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        try:
            answer(self)
        except OSError:
            pass
        finally:
            with self.server.lock:
                self.server.at_once -= 1

    def log_message(self, *_: object) -> None:
        """Say nothing."""


async def numeric(host: str, port: int) -> list[str]:
    """In place of a resolver, where hosts are addresses."""
    return [host]


@contextmanager
def receiving(*answers: Answer) -> Iterator[Receiver]:
    server = Receiver(*answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""Impatient and broken callers in a crowd: afterwards the books balance and the next caller is served."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.serving import Served, post, wait_until

FAULTY = (
    "import time",
    "from app.model.stub import StubClassifier",
    "forward, calls = StubClassifier.forward, []",
    "def faulty(self, *read):",
    "    calls.append(1)",
    "    time.sleep(0.005)",
    "    if len(calls) % 10 == 0: raise RuntimeError('secret')",
    "    return forward(self, *read)",
    "StubClassifier.forward = faulty",
)
CALLS, CALLERS = 500, 8
HANG_UP = "hung up"


def total(metrics: str, name: str) -> float:
    return sum(float(value) for value in re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", metrics, re.MULTILINE))


def test_a_crowd_that_misbehaves(serve: Callable[..., Served], good: Any) -> None:
    # Without the cache, or the same body would be scored once.
    limits = {"MAX_WAITING": "4", "BODY_TIMEOUT_S": "0.5", "MAX_CACHE_BYTES": "0"}
    server = serve(*FAULTY, **{f"SOFTSELL_LIMITS__{name}": value for name, value in limits.items()})
    server.wait_ready()
    body = json.dumps(good).encode()
    bad = [b"", b"{", b"[" * 5000, b'{"conversation": NaN}', b"\xff", body.replace(b"agent", b"boss"), b"x" * 1_100_000]

    def call(number: int) -> str:
        chance = random.Random(number)
        document = chance.choice(bad) if chance.random() < 0.3 else body
        try:
            with server.connect() as connection:
                length = len(document) + (9 if chance.random() < 0.02 else 0)
                connection.sendall(post(document, "Connection: close", length=length))
                connection.settimeout(chance.uniform(0, 0.03) if chance.random() < 0.3 else 60)
                return connection.recv(65_536).split(b" ", 2)[1].decode()
        except TimeoutError:
            return HANG_UP

    with ThreadPoolExecutor(CALLERS) as callers:
        seen = Counter(callers.map(call, range(CALLS)))
    assert sum(seen.values()) == CALLS
    # Each kind of end did come up, or this test shows nothing.
    assert {"200", "400", "413", "422", "500", "503", "408", HANG_UP} == set(seen), seen

    def quiet() -> bool:
        return "softsell_requests_in_flight 1.0" in server.get("/metrics").decode()

    wait_until(quiet)
    metrics = server.get("/metrics").decode()
    assert "softsell_queue_depth 0.0" in metrics
    assert "softsell_workers_busy 0.0" in metrics
    assert total(metrics, "softsell_requests_received_total") == total(metrics, "softsell_requests_total") + 1
    assert 'route="/v1/score",status="499"' in metrics
    wait_until(lambda: b" 200 " in server.ask(post(body, "Connection: close")))
    server.terminate()
    assert server.ended(within_s=30) == 0
    assert "secret" not in json.dumps(server.log)

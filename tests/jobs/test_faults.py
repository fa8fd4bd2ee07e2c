"""A small `make faults` in every run of the tests, and an item that ends the process that scores it."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.faults import Fault, kill_a_batch, kill_a_run, lines
from tests.serving import Served, wait_until

_DEADLY = (
    "import os, signal, app.model.stub as stub",
    "quick = stub.StubClassifier.forward",
    "deadly = stub._id('poison')",
    "stub.StubClassifier.forward = lambda self, window, memory=None: ("
    "os.kill(os.getpid(), signal.SIGKILL) if deadly in window.token_ids else quick(self, window, memory))",
)


def test_killed_at_random_every_conversation_has_one_result(database_url: str, tmp_path: Path) -> None:
    figures = kill_a_batch(database_url, tmp_path, Fault(items=150, kills=2, longest_s=0.6), random.Random(3))
    assert figures["exactly_one_result"] == 150
    assert figures["failed"] == 0


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet", "html"])
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, ending: str) -> None:
    fault = Fault(items=150, kills=1 if ending != "jsonl" else 3, longest_s=0.6)
    figures = kill_a_run(tmp_path, fault, random.Random(3), ending)
    assert figures["conversations"] == 150


def test_an_item_that_ends_the_process_fails_after_the_third_time(serve: Callable[..., Served], tmp_path: Path) -> None:
    turn = {"role": "agent", "text": "poison"}
    poisoned = {"custom_id": "bad", "conversation": {"turns": [turn]}}
    body = b"".join([*lines(20), json.dumps(poisoned).encode() + b"\n"])
    environment = {"SOFTSELL_DATA_DIR": str(tmp_path)}
    server = serve(*_DEADLY, **environment)
    answer = httpx.post(
        f"http://127.0.0.1:{server.port}/v1/batches", content=body, headers={"Content-Type": "application/jsonl"}
    )
    address = f"/v1/batches/{answer.json()['id']}"
    deaths = 0
    while True:
        ended_as = None
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:

            def over(server: Served = server, client: httpx.Client = client) -> bool:
                try:
                    return client.get(address).json()["status"] == "completed"
                except httpx.HTTPError:
                    return server.ended(30) == -signal.SIGKILL

            wait_until(over, 60)
            ended_as = server.process.poll()
            if ended_as is None:
                counts = client.get(address).json()["request_counts"]
                errors = client.get(f"{address}/errors").text
                break
        deaths += 1
        server = serve(*_DEADLY, **environment)
    assert deaths == 3
    assert counts == {"total": 21, "completed": 20, "failed": 1, "cancelled": 0}
    assert [json.loads(line)["error"]["code"] for line in errors.splitlines()] == ["worker_ended"]

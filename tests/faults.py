"""Kills softsell at random moments, again and again, and counts what is left: `make faults`.

A batch on a server, over SQLite and over PostgreSQL: every conversation has exactly one result in the end, and no
result that was stored once is lost or changed. A run of the command line with --resume: its output has the bytes of a
run that nobody killed. The stub engine is slowed down, so that a job is long enough to be killed often.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx

from app.store.batches import Batches
from app.store.database import Database
from tests.commands import start
from tests.databases import new_database, postgresql_server
from tests.serving import Served, wait_until

_SLOW = (
    "import time",
    "from app.model.stub import StubClassifier",
    "quick = StubClassifier.forward",
    "StubClassifier.forward = lambda *given: (time.sleep({pause_s}), quick(*given))[1]",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done: so many kills in a job of so many conversations, each of which takes so long to score."""

    items: int
    kills: int
    pause_s: float = 0.012
    longest_s: float = 1.2


def lines(count: int) -> Iterator[bytes]:
    for number in range(count):
        said = ["That is guaranteed.", "What do you need?", "Hurry, it ends today.", "I understand."][number % 4]
        turns = [{"role": "agent", "text": f"{said} {number}"}, {"role": "customer", "text": "No, I need to think."}]
        conversation = {"id": f"c-{number}", "turns": turns}
        yield json.dumps({"custom_id": f"c-{number}", "conversation": conversation}).encode() + b"\n"


def kill_a_batch(url: str, folder: Path, fault: Fault, moments: random.Random) -> dict[str, object]:
    """Figures of a batch whose server was killed; raises `AssertionError` where something was lost."""
    prelude = [line.format(pause_s=fault.pause_s) for line in _SLOW]
    environment = {"SOFTSELL_DATABASE_URL": url, "SOFTSELL_DATA_DIR": str(folder)}
    server = Served(*prelude, **environment)
    server.wait_ready()
    sent = b"".join(lines(fault.items))
    began = time.monotonic()
    answer = httpx.post(
        f"http://127.0.0.1:{server.port}/v1/batches",
        content=sent,
        headers={"Content-Type": "application/jsonl"},
        timeout=120,
    )
    assert answer.status_code == 202, answer.text
    batch_id = answer.json()["id"]
    stored: dict[int, str] = {}
    killed_during = 0
    for _ in range(fault.kills):
        time.sleep(moments.uniform(0.0, fault.longest_s))
        server.process.kill()
        server.ended(30)
        found = _stored(url, batch_id)
        lost = [ordinal for ordinal, digest in stored.items() if found.get(ordinal) != digest]
        assert not lost, f"results that were stored are lost or changed: {len(lost)}"
        killed_during += len(found) < fault.items
        stored = found
        server = Served(*prelude, **environment)
    server.wait_ready()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
        wait_until(lambda: client.get(f"/v1/batches/{batch_id}").json()["status"] == "completed", 600)
        counts = client.get(f"/v1/batches/{batch_id}").json()["request_counts"]
        results = client.get(f"/v1/batches/{batch_id}/results").content
        again = client.get(f"/v1/batches/{batch_id}/results").content
        errors = client.get(f"/v1/batches/{batch_id}/errors").content
    server.terminate()
    server.ended(30)
    answered = [json.loads(line) for line in (*results.splitlines(), *errors.splitlines())]
    ordinals = sorted(line["line"] for line in answered)
    assert ordinals == list(range(1, fault.items + 1)), "not every conversation has exactly one result"
    assert counts["total"] == counts["completed"] + counts["failed"] == fault.items
    own = [line["response"]["body"]["conversation_id"] == line["custom_id"] for line in answered if line["response"]]
    assert all(own), "a result is of another conversation"
    assert results == again
    found = _stored(url, batch_id)
    assert all(found.get(ordinal) == digest for ordinal, digest in stored.items())
    return {
        "conversations": fault.items,
        "kills": fault.kills,
        "kills_before_the_last_result": killed_during,
        "exactly_one_result": len(answered),
        "failed": counts["failed"],
        "lost": 0,
        "seconds": round(time.monotonic() - began, 1),
    }


def _stored(url: str, batch_id: str) -> dict[int, str]:
    """What is stored of the results, by ordinal."""
    database = Database(url)
    try:
        batches = Batches(database, timedelta(hours=1), timedelta(days=1))
        found = [line for failed in (False, True) for line in batches.lines(batch_id, failed=failed)]
        return {line.ordinal: hashlib.sha256(line.result).hexdigest() for line in found if line.result is not None}
    finally:
        database.close()


def kill_a_run(folder: Path, fault: Fault, moments: random.Random, ending: str = "jsonl") -> dict[str, object]:
    """Figures of a run of the command line that was killed; raises `AssertionError` where its bytes differ."""
    inputs = folder / "calls.jsonl"
    inputs.write_bytes(b"".join(lines(fault.items)))
    whole, killed = folder / f"whole.{ending}", folder / f"killed.{ending}"
    prelude = ";".join(line.format(pause_s=fault.pause_s) for line in _SLOW)
    began, kills = time.monotonic(), 0
    environment = {**os.environ, "SOFTSELL_ENGINE": "stub"}

    def run(output: Path) -> list[str]:
        return ["score", str(inputs), "--output", str(output), "--resume"]

    for _ in range(fault.kills):
        process = start(run(killed), prelude=prelude, env=environment)
        # A part of this is the start.
        time.sleep(moments.uniform(0.5, 1.5 + fault.longest_s))
        if process.poll() is None:
            process.kill()
            kills += 1
        process.wait(30)
    assert start(run(killed), prelude=prelude, env=environment).wait(600) == 0
    assert start(run(whole), env=environment).wait(600) == 0
    assert killed.read_bytes() == whole.read_bytes(), "the bytes are not those of a run that nobody killed"
    left = sorted(path.name for path in folder.iterdir() if path not in (inputs, whole, killed))
    assert not left, f"files were left behind: {left}"
    return {
        "conversations": fault.items,
        "kills": kills,
        "identical_bytes": killed.stat().st_size,
        "seconds": round(time.monotonic() - began, 1),
    }


@contextmanager
def _url(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'softsell.db'}"
        return
    with postgresql_server() as server, new_database(server) as url:
        yield url


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="sqlite,postgresql,command-line")
    given = parser.parse_args()
    fault = Fault(given.items, given.kills)
    for kind in given.only.split(","):
        moments = random.Random(given.seed)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if kind == "command-line":
                figures = kill_a_run(folder, fault, moments)
            else:
                with _url(kind, folder) as url:
                    figures = kill_a_batch(url, folder, fault, moments)
        print(json.dumps({"fault": kind, **figures}), flush=True)


if __name__ == "__main__":
    main()

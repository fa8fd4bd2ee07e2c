"""The floor: softsell's engine on worker threads, without a server, queue or wire.

`python -m benchmarks.floor LOAD THREADS SECONDS WARM_S SEED` prints one JSON object. What a server
costs is the difference from this.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import cast

import psutil

from app.build import build
from app.core.conversation import Conversation
from app.engine.windows import SupportsEncoding
from app.settings import Settings
from benchmarks.calls import Calls, Load, Task, tasks, token_counts
from benchmarks.machine import Others
from benchmarks.process import ROOT, DidNotStart, environment
from benchmarks.work import conversation_flops

# Made before the clock runs, and more than two cores could do, so that none comes twice.
_CALLS_A_SECOND, _TURNS_A_SECOND = 200, 1_500


@dataclass(frozen=True, slots=True)
class Floor:
    """What one run gave."""

    turns: int
    flops: float
    latencies_s: list[float]
    cpu_s: float
    memory_mb: float
    others_share: float


def measure(load: Load, threads: int, seconds: float, warm_s: float, seed: str) -> Floor:
    """Run it in a process of its own. Raises `DidNotStart` if it fails."""
    command = [sys.executable, "-m", "benchmarks.floor", load, str(threads), str(seconds), str(warm_s), seed]
    done = subprocess.run(command, cwd=ROOT, env=environment({}), capture_output=True, check=False, text=True)
    if done.returncode:
        raise DidNotStart(f"it ended with code {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    return Floor(**json.loads(done.stdout))


def _prepared(load: Load, seed: str, encoder: SupportsEncoding, least: int) -> list[tuple[Task, float]]:
    from benchmarks.corpus import test_calls

    made: list[tuple[Task, float]] = []
    calls = Calls(test_calls(), seed)
    while len(made) < least:
        for task in tasks(load, next(calls), encoder):
            made.append((task, conversation_flops(token_counts(task.conversation.turns, encoder))))
    return made


def _run(load: Load, threads: int, seconds: float, warm_s: float, seed: str) -> Floor:
    from benchmarks.corpus import encoder_of_release

    scorer = build(Settings(**{})).scorer
    a_second = _CALLS_A_SECOND if load == "calls" else _TURNS_A_SECOND
    work = _prepared(load, seed, encoder_of_release(), int((seconds + warm_s) * a_second))
    start = time.perf_counter() + warm_s
    end = start + seconds
    results: list[tuple[int, float, float]] = []

    def loop(first: int) -> None:
        place = first
        while (began := time.perf_counter()) < end:
            task, flops = work[place % len(work)]
            place += threads
            conversation: Conversation = task.conversation
            scorer.score(conversation)
            ended = time.perf_counter()
            if start <= ended < end:
                results.append((task.turns, flops, ended - began))

    workers = [threading.Thread(target=loop, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    time.sleep(warm_s)
    others, cpu_s = Others(), time.process_time()
    time.sleep(seconds)
    cpu_s = time.process_time() - cpu_s
    others_share = others.share(cpu_s)
    for worker in workers:
        worker.join()
    return Floor(
        sum(turns for turns, _, _ in results),
        sum(flops for _, flops, _ in results),
        [latency for _, _, latency in results],
        cpu_s,
        psutil.Process().memory_full_info().pss / 2**20,
        others_share,
    )


def main() -> None:
    """Run once and print."""
    load, threads, seconds, warm_s, seed = sys.argv[1:]
    found = _run(cast(Load, load), int(threads), float(seconds), float(warm_s), seed)
    print(json.dumps({name: getattr(found, name) for name in Floor.__slots__}))


if __name__ == "__main__":
    main()

"""Measures whether scoring gains from an allocator that keeps its memory, as training does.

`python benchmarks/allocator.py [ROUNDS]` scores some conversations of the corpus in processes that
differ in glibc's thresholds alone, in alternating rounds, and prints the ratio of the medians.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

CONVERSATIONS = 60
KEEPING = {"MALLOC_MMAP_THRESHOLD_": "17179869184", "MALLOC_TRIM_THRESHOLD_": "17179869184"}
_WORKER = "worker"


def score_some() -> float:
    """Seconds that one scoring of the conversations takes in this process, after a first one to warm up."""
    from app.build import build
    from app.settings import Settings
    from training.corpus import load

    scorer = build(Settings()).scorer
    conversations = [conversation.plain() for conversation in load()[:CONVERSATIONS]]
    began = 0.0
    for _ in range(2):
        began = time.perf_counter()
        for conversation in conversations:
            scorer.score(conversation)
    return time.perf_counter() - began


def main() -> None:
    """Run the rounds and print the medians and their ratio."""
    if sys.argv[1:] == [_WORKER]:
        print(score_some())
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    plain = {key: value for key, value in os.environ.items() if key not in KEEPING}
    seconds: dict[str, list[float]] = {"default": [], "keeping": []}
    for _ in range(rounds):
        for name, environment in (("default", plain), ("keeping", plain | KEEPING)):
            command = [sys.executable, __file__, _WORKER]
            found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            seconds[name].append(float(found.stdout))
    medians = {name: statistics.median(held) for name, held in seconds.items()}
    for name, median in medians.items():
        print(f"{name}: {median:.2f} s for {CONVERSATIONS} conversations (median of {rounds})")
    print(f"ratio default / keeping: {medians['default'] / medians['keeping']:.2f}")


if __name__ == "__main__":
    main()

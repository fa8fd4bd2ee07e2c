"""Counts what is flagged on calls of the outside world, of which few or none mis-sell.

`python benchmarks/false_alarms.py MESSAGES.csv.gz` reads rows with `conversation_id`, `author` (Agent
or Customer) and `message`, scores them through the code that serves, and prints shares; no words.
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections import Counter
from pathlib import Path

from app.build import build
from app.core.conversation import Conversation, Role, Turn
from app.settings import Settings

ROLES = {"Agent": Role.AGENT, "Customer": Role.CUSTOMER}


def read(path: Path) -> dict[str, list[Turn]]:
    """The turns of each conversation, in the order of the file; blank messages are left out."""
    calls: dict[str, list[Turn]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            turns = calls.setdefault(row["conversation_id"], [])
            if row["message"].strip():
                turns.append(Turn(str(len(turns)), ROLES.get(row["author"], Role.UNKNOWN), row["message"]))
    return calls


def main() -> None:
    """Score every call and print how many are in each band, and how many agent turns are flagged."""
    service = build(Settings())
    bands: Counter[str] = Counter()
    turns, likely, flagged = 0, 0, 0
    for call in read(Path(sys.argv[1])).values():
        score = service.scorer.score(Conversation(tuple(call)), evidence=False)
        bands[str(score.band)] += 1
        for turn in score.turns:
            if turn.role is Role.AGENT:
                turns += 1
                likely += (turn.risk or 0.0) >= 0.5
                flagged += any(value >= service.thresholds[name] for name, value in turn.categories.items())
    print(f"{service.model_version}: {bands.total()} calls, by band {dict(bands)}")
    print(
        f"{turns} agent turns: {likely / turns:.1%} with a risk of 0.5 or more, {flagged / turns:.1%} over a threshold"
    )


if __name__ == "__main__":
    main()

"""Scores the sets of the outside world through the code that serves, and writes what came of it."""

from __future__ import annotations

import csv
import datetime
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.build import Service
from app.core.conversation import Role
from training.measure import machine
from training.outside import calls, empathy, manipulation, negotiation
from training.outside.figures import RESAMPLES
from training.outside.report import render
from training.outside.sets import OutsideSet, Scored, Talk
from training.workers import done

SETS: tuple[OutsideSet, ...] = (*calls.SETS, *negotiation.SETS, *empathy.SETS, *manipulation.SETS)
RESULTS = Path(__file__).parent.parent / "outside.json"
REPORT = Path(__file__).parent.parent / "OUTSIDE.md"
REPOSITORY = Path(__file__).resolve().parent.parent.parent
SEED = 0
FLAG_COLUMNS = ("set", "conversation", "turn", "text", "category", "probability", "threshold")


def sampled(talks: Sequence[Talk], count: int | None) -> list[Talk]:
    """The talks of so many units, drawn with a fixed seed, in their order; all where there are no more."""
    units = sorted({talk.unit for talk in talks})
    if count is None or len(units) <= count:
        return list(talks)
    kept = set(random.Random(SEED).sample(units, count))
    return [talk for talk in talks if talk.unit in kept]


def scores(talks: Sequence[Talk], service: Service, what: str, quiet: bool = False) -> list[Scored]:
    """Each talk with its score, without evidence."""

    def scored(talk: Talk) -> Scored:
        return Scored(talk, service.scorer.score(talk.conversation, evidence=False))

    return done(scored, talks, what, "text", quiet)


def flags(name: str, scored: Sequence[Scored], thresholds: Mapping[str, float]) -> list[dict[str, str | float]]:
    """Each category of each agent turn that reaches its threshold, as rows of `FLAG_COLUMNS`."""
    return [
        {
            "set": name,
            "conversation": held.talk.unit,
            "turn": turn.turn,
            "text": held.talk.conversation.turns[turn.turn].text,
            "category": category,
            "probability": round(value, 4),
            "threshold": round(thresholds[category], 4),
        }
        for held in scored
        for turn, _ in held.turns(Role.AGENT)
        for category, value in turn.categories.items()
        if value >= thresholds[category]
    ]


def measure(
    directory: Path, service: Service, listing: Path | None = None, sample: int | None = None, quiet: bool = False
) -> dict[str, Any]:
    """Figures of each set that is found below a folder.

    Args:
        directory: holds the sets, each in whatever folder.
        service: a release.
        listing: where to write the flagged turns of the listed sets, for a reader.
        sample: only so many units of each set.
        quiet: without bars.

    Raises:
        ValueError: if the listing would lie in the repository, or no set is found.
    """
    if listing is not None and listing.resolve().is_relative_to(REPOSITORY):
        raise ValueError("the flagged turns are words of others: write them to a file outside the repository")
    found: dict[str, Any] = {}
    listed: list[dict[str, str | float]] = []
    for held in SETS:
        files = held.found(directory)
        if not files:
            continue
        talks = held.read(files)
        scored = scores(sampled(talks, sample or held.sample), service, held.name, quiet)
        found[held.name] = {
            "files": len(files),
            "units": len({talk.unit for talk in talks}),
            "conversations": len(talks),
            "turns": sum(len(talk.conversation.turns) for talk in talks),
            "scored units": len({each.talk.unit for each in scored}),
            "scored conversations": len(scored),
            "scored agent turns": sum(1 for each in scored for _ in each.turns(Role.AGENT)),
            "agents without a score": sum(each.abstained(Role.AGENT) for each in scored),
            "customers without a score": sum(each.abstained(Role.CUSTOMER) for each in scored),
            "figures": held.figures(scored, service.thresholds),
        }
        if held.listed:
            listed += flags(held.name, scored, service.thresholds)
    if not found:
        raise ValueError(f"{directory}: holds no file of a known set")
    if listing is not None:
        with listing.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, FLAG_COLUMNS)
            writer.writeheader()
            writer.writerows(listed)
    return {
        "release": service.model_version,
        "measured": {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "machine": machine()},
        "resamples": RESAMPLES,
        "thresholds": {name: round(value, 4) for name, value in service.thresholds.items()},
        "sets": found,
    }


def write(results: Mapping[str, Any]) -> None:
    """Write `outside.json` and `OUTSIDE.md`."""
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    REPORT.write_text(render(results, SETS), encoding="utf-8")

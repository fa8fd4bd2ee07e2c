"""What a conversation costs as it gets longer: scored whole, its last turn while it is live, and all its turns live."""

from __future__ import annotations

import math
import os
import statistics
from typing import Any

from benchmarks.calls import Calls, up_to
from benchmarks.environments import NotInstalled
from benchmarks.load import ask_all
from benchmarks.machine import Others
from benchmarks.process import DidNotStart, Server
from benchmarks.run import Run
from benchmarks.subjects import FLOOR, Subject
from benchmarks.wire import Step

# As many turns as a long call has, sent whole after each of them.
GROWING_TURNS = 100
# Short ones are asked about as often as makes this many turns, and the median is taken.
TURNS_A_ROUND = 300


def _kinds(run: Run, subject: Subject) -> list[tuple[str, int]]:
    kinds = ("whole", "live", "appended") if "appended" in subject.loads else ("whole", "live")
    return [(kind, turns) for kind in kinds for turns in run.plan.lengths] + [("growing", GROWING_TURNS)]


def wanted(run: Run) -> list[tuple[int, Subject, list[tuple[str, int]]]]:
    """What is still to be measured: round, subject, and its cells."""
    found = []
    for round_ in range(run.plan.rounds):
        for subject in run.plan.subjects:
            cells = [
                (kind, turns)
                for kind, turns in _kinds(run, subject)
                if not run.results.has(f"lengths/{subject.name}/{kind}/{turns}/{round_}", subject.stamp())
            ]
            if cells and subject.name != FLOOR:
                found.append((round_, subject, cells))
    return found


def left(run: Run) -> int:
    """How many cells are still to be measured."""
    return sum(len(cells) for _, _, cells in wanted(run))


async def measure(run: Run) -> None:
    """All that is wanted."""
    missing: set[str] = set()
    for round_, subject, cells in wanted(run):
        if subject.name in missing:
            continue
        try:
            async with subject.started(run.encoder) as server:
                for kind, turns in cells:
                    found = await _measured(run, subject, server, kind, turns, f"lengths/{kind}/{turns}/{round_}")
                    run.done(f"lengths/{subject.name}/{kind}/{turns}/{round_}", subject.stamp(), found)
        except (NotInstalled, DidNotStart) as error:
            missing.add(subject.name)
            run.tell(f"{subject.name}: {error}")


def _median(seconds: list[float]) -> float | None:
    """Of the attempts that were answered whole, if any was."""
    answered = [value for value in seconds if not math.isnan(value)]
    return round(statistics.median(answered), 5) if answered else None


async def _measured(run: Run, subject: Subject, server: Server, kind: str, turns: int, seed: str) -> dict[str, Any]:
    wire = run.wire(subject)
    calls = Calls(run.conversations, seed)
    # A first call of the same kind, for whatever is set up on first use.
    await ask_all(server.port, wire.session("calls", calls.of_length(10))[0])
    seconds: list[float] = []
    statuses: list[str] = []

    async def ask(step: Step) -> float:
        """Seconds; not a number where not every answer was a score."""
        took, answers = await ask_all(server.port, step)
        statuses.extend(answer.status for answer in answers)
        return took if all(answer.ok for answer in answers) else math.nan

    others, cpu_s = Others(), server.cpu_s()
    if kind == "growing":
        conversation = calls.of_length(turns)
        steps: list[Step] = [(wire.newest(up_to(conversation, end)),) for end in range(1, turns + 1)]
        seconds.append(sum([await ask(step) for step in steps]))
        (whole,) = wire.session("calls", calls.of_length(turns))
        whole_s = await ask(whole)
    else:
        for _ in range(max(1, TURNS_A_ROUND // turns)):
            conversation = calls.of_length(turns)
            if kind == "whole":
                (whole,) = wire.session("calls", conversation)
                seconds.append(await ask(whole))
            elif kind == "appended":
                before, newest = wire.appended(conversation, [turns - 1, 1])
                await ask(before)
                seconds.append(await ask(newest))
            else:
                await ask((wire.newest(up_to(conversation, turns - 1)),))
                seconds.append(await ask((wire.newest(conversation),)))
    used_s = server.cpu_s() - cpu_s
    cell = {
        "median_s": _median(seconds),
        "times": len(seconds),
        "statuses": {status: statuses.count(status) for status in sorted(set(statuses))},
        "cpu_s": round(used_s, 4),
        "others_share": round(others.share(used_s), 4),
        "load_average": os.getloadavg()[0],
    }
    return cell | ({"whole_s": _median([whole_s])} if kind == "growing" else {})

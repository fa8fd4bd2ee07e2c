"""How many turns a second each subject scores, how long a caller waits, and what that takes.

In every round each subject is started, asked with every load and number of clients, and stopped:
one at a time, A B C A B C, so that a machine that changes changes for all.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from benchmarks import floor, peak
from benchmarks.calls import Load
from benchmarks.environments import NotInstalled
from benchmarks.load import Supply, Tally, closed_loop
from benchmarks.machine import Others
from benchmarks.process import DidNotStart, Server
from benchmarks.run import Run
from benchmarks.subjects import FLOOR, Subject
from benchmarks.wire import Wire

# Made before the clock runs; where a subject is faster, the rest is made meanwhile and shows in the generator's share.
_PREPARED_A_SECOND: dict[Load, int] = {"calls": 300, "live": 300, "appended": 700, "context": 300, "bare": 700}
_PEAK_SECONDS = 6.0
# The stamp of a cell that has no measurement; it never equals a subject's, so that it is tried again.
FAILED = "failed"


def quantiles(seconds: list[float]) -> dict[str, float | None]:
    """Milliseconds below which so many percent of the latencies are."""
    held = sorted(seconds)

    def at(share: float) -> float | None:
        return round(held[min(len(held) - 1, int(len(held) * share))] * 1e3, 2) if held else None

    return {"p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99)}


def wrong_answer(tally: Tally, wire: Wire) -> bool:
    """Whether the last answer with status 200 does not hold as many scores as were asked for."""
    if tally.last is None:
        return False
    request, answer = tally.last
    try:
        return wire.scored(answer.body) < request.turns
    except (ValueError, LookupError, TypeError):
        return True


def _stamp(run: Run, subject: Subject) -> str:
    return f"{subject.stamp()}/{run.plan.seconds:g}s"


def _key(subject: Subject, load: Load, clients: int, round_: int) -> str:
    return f"throughput/{subject.name}/{load}/{clients}/{round_}"


def wanted(run: Run) -> list[tuple[int, Subject, list[tuple[Load, int]]]]:
    """What is still to be measured: round, subject, and its loads and clients."""
    plan, found = run.plan, []
    for round_ in range(plan.rounds):
        for subject in plan.subjects:
            stamp = _stamp(run, subject)
            cells = [
                (load, clients)
                for load in plan.loads
                if load in subject.loads
                for clients in (_threads(run) if subject.name == FLOOR else plan.clients)
                if not run.results.has(_key(subject, load, clients, round_), stamp)
            ]
            if cells:
                found.append((round_, subject, cells))
    return found


def _threads(run: Run) -> list[int]:
    """The floor has no clients, only threads, and more of them than cores are no use."""
    return sorted({min(clients, os.cpu_count() or 1) for clients in run.plan.clients})


def left(run: Run) -> int:
    """How many cells are still to be measured."""
    return sum(len(cells) for _, _, cells in wanted(run))


async def measure(run: Run) -> None:
    """All that is wanted, and the cores' peak once a round."""
    missing: set[str] = set()
    for round_, subject, cells in wanted(run):
        key = f"peak/{round_}"
        if not run.results.has(key, "peak"):
            run.results.put(key, "peak", await asyncio.to_thread(peak.measure, _PEAK_SECONDS))
        if subject.name in missing:
            continue
        started = f"throughput/{subject.name}/start/{round_}"
        try:
            if subject.name == FLOOR:
                for load, threads in cells:
                    await _floor_cell(run, subject, load, threads, round_)
                continue
            async with subject.started(run.encoder) as server:
                run.results.put(started, _stamp(run, subject), {"start_s": server.start_s})
                for load, clients in cells:
                    await _cell(run, subject, server, load, clients, round_)
        except (NotInstalled, DidNotStart) as error:
            missing.add(subject.name)
            run.results.put(started, FAILED, {"failed": str(error)})
            run.tell(f"{subject.name}: {error}")


async def _floor_cell(run: Run, subject: Subject, load: Load, threads: int, round_: int) -> None:
    plan = run.plan
    found = await asyncio.to_thread(
        floor.measure, load, threads, plan.seconds, plan.warm_s, f"{load}/{threads}/{round_}"
    )
    cell: dict[str, Any] = {
        "turns_per_s": round(found.turns / plan.seconds, 2),
        "steps": len(found.latencies_s),
        **quantiles(found.latencies_s),
        "cpu_s_per_million_turns": round(found.cpu_s / found.turns * 1e6) if found.turns else None,
        "gflops": round(found.flops / plan.seconds / 1e9, 1),
        "memory_mb": round(found.memory_mb),
        "others_share": round(found.others_share, 4),
        "load_average": os.getloadavg()[0],
    }
    run.done(_key(subject, load, threads, round_), _stamp(run, subject), cell)


async def _cell(run: Run, subject: Subject, server: Server, load: Load, clients: int, round_: int) -> None:
    plan, wire = run.plan, run.wire(subject)
    sessions = run.sessions(subject, load, f"{load}/{clients}/{round_}")
    supply = Supply(sessions, int((plan.seconds + plan.warm_s) * _PREPARED_A_SECOND[load]))
    measured: dict[str, float] = {}

    async def watch() -> None:
        await asyncio.sleep(plan.warm_s)
        others, cpu_s = Others(), server.cpu_s()
        await asyncio.sleep(plan.seconds)
        measured["cpu_s"] = server.cpu_s() - cpu_s
        measured["others"] = others.share(measured["cpu_s"])

    tally, _ = await asyncio.gather(closed_loop(server.port, supply, clients, plan.seconds, plan.warm_s), watch())
    cores = os.cpu_count() or 1
    generator = tally.own_cpu_s / plan.seconds / cores
    cell: dict[str, Any] = {
        "turns_per_s": round(tally.turns / plan.seconds, 2),
        "steps": len(tally.latencies_s),
        **quantiles(tally.latencies_s),
        "cpu_s_per_million_turns": round(measured["cpu_s"] / tally.turns * 1e6) if tally.turns else None,
        "gflops": round(tally.flops / plan.seconds / 1e9, 1),
        "memory_mb": round(server.memory_mb()),
        "sent": tally.sent,
        "statuses": dict(tally.statuses),
        "failed_steps": tally.failed_steps,
        "wrong_answer": wrong_answer(tally, wire),
        "generator_share": round(generator, 4),
        "others_share": round(max(0.0, measured["others"] - generator), 4),
        "load_average": os.getloadavg()[0],
    }
    run.done(_key(subject, load, clients, round_), _stamp(run, subject), cell)

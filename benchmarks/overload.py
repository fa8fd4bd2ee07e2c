"""Three times of what a subject can do: what it still scores, how it refuses the rest, and how soon it recovers."""

from __future__ import annotations

import asyncio
import os
import time

from benchmarks.connection import Connection
from benchmarks.environments import NotInstalled
from benchmarks.load import Supply, Tally, closed_loop, open_loop
from benchmarks.machine import Others
from benchmarks.process import DidNotStart, Server
from benchmarks.run import Run, Sessions
from benchmarks.subjects import FLOOR, Subject
from benchmarks.throughput import quantiles

TIMES_CAPACITY = 3.0
# A client who has no answer by then has gone.
TIMEOUT_S = 10.0
CLIENTS = 8
_QUIET_S = 3.0
# It has recovered when so many answers in a row take at most this multiple of what 95 % took before.
_ROW, _MULTIPLE = 10, 2.0
_GIVE_UP_S = 60.0


def _key(subject: Subject, round_: int) -> str:
    return f"overload/{subject.name}/{round_}"


def _stamp(run: Run, subject: Subject) -> str:
    return f"{subject.stamp()}/{run.plan.overload_s:g}s"


def wanted(run: Run) -> list[Subject]:
    """Who is still to be measured; once, since it takes minutes."""
    return [
        subject
        for subject in run.plan.subjects
        if subject.name != FLOOR and not run.results.has(_key(subject, 0), _stamp(run, subject))
    ]


def left(run: Run) -> int:
    """How many cells are still to be measured."""
    return len(wanted(run))


async def measure(run: Run) -> None:
    """All that is wanted."""
    for subject in wanted(run):
        try:
            async with subject.started(run.encoder) as server:
                await _cell(run, subject, server)
        except (NotInstalled, DidNotStart) as error:
            run.tell(f"{subject.name}: {error}")


async def _recovery_s(server: Server, sessions: Sessions, usual_s: float) -> float | None:
    """Seconds until the first of `_ROW` usual answers in a row; `None` if there were none in time."""
    connection = Connection(server.port, TIMEOUT_S)
    start = time.perf_counter()
    since, row = 0.0, 0
    requests = (request for session in sessions for (request,) in session)
    for request in requests:
        began = time.perf_counter()
        if began - start > _GIVE_UP_S:
            break
        answer = await connection.ask(request.content)
        if answer.ok and answer.seconds <= usual_s * _MULTIPLE:
            since, row = (began - start, 1) if row == 0 else (since, row + 1)
        else:
            row = 0
            # A refusal costs nothing; asking again at once would be a load of its own.
            await asyncio.sleep(0.05)
        if row == _ROW:
            break
    connection.close()
    return since if row == _ROW else None


async def _cell(run: Run, subject: Subject, server: Server) -> None:
    plan = run.plan
    quiet = await closed_loop(server.port, run.sessions(subject, "context", "quiet"), 1, _QUIET_S, 1.0)
    full = await closed_loop(
        server.port, run.sessions(subject, "context", "full"), CLIENTS, max(plan.seconds, _QUIET_S), plan.warm_s
    )
    capacity = full.turns / full.seconds
    usual_ms = quantiles(quiet.latencies_s)["p95_ms"]
    if not capacity or usual_ms is None:
        run.done(_key(subject, 0), "failed", {"failed": f"no capacity to exceed: {full.failures}"})
        return
    rate = TIMES_CAPACITY * capacity
    supply = Supply(run.sessions(subject, "context", "overload"), int(min(rate * plan.overload_s, 20_000)))
    recovery: list[float | None] = []

    async def recovered() -> None:
        recovery.append(await _recovery_s(server, run.sessions(subject, "context", "recovery"), usual_ms / 1e3))

    others, cpu_s = Others(), server.cpu_s()
    tally: Tally = await open_loop(server.port, supply, rate, plan.overload_s, TIMEOUT_S, recovered)
    used_s = server.cpu_s() - cpu_s
    goodput = tally.turns / tally.seconds
    cell = {
        "capacity_per_s": round(capacity, 1),
        "quiet_p95_ms": usual_ms,
        "sent_per_s": round(tally.sent / tally.seconds, 1),
        "goodput_per_s": round(goodput, 1),
        "goodput_of_capacity": round(goodput / capacity, 3),
        **quantiles(tally.latencies_s),
        "statuses": dict(tally.statuses),
        "sent": tally.sent,
        "not_sent": tally.not_sent,
        "refusals": {**quantiles(tally.refusals_s), "count": len(tally.refusals_s)},
        "refusals_without_retry_after": tally.refusals_without_retry_after,
        "recovery_s": None if recovery[0] is None else round(recovery[0], 2),
        "alive": server.alive,
        "largest_lag_s": round(tally.largest_lag_s, 3),
        "memory_mb": round(server.memory_mb()),
        "generator_share": round(tally.own_cpu_s / tally.seconds / (os.cpu_count() or 1), 4),
        "others_share": round(max(0.0, others.share(used_s + tally.own_cpu_s)), 4),
        "load_average": os.getloadavg()[0],
    }
    run.done(_key(subject, 0), _stamp(run, subject), cell)

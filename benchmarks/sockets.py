"""Live calls at their own pace: a hundred sockets with a turn every four seconds, and how soon each score is there.

Servers without sockets get the same turns at the same moments, each as a request with its context.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from app.core.conversation import Conversation
from benchmarks.calls import Calls
from benchmarks.connection import HOST
from benchmarks.environments import NotInstalled
from benchmarks.load import open_loop
from benchmarks.machine import Others
from benchmarks.process import DidNotStart, Server
from benchmarks.run import Run
from benchmarks.subjects import FLOOR, Subject
from benchmarks.throughput import quantiles

SOCKETS = 100
EVERY_S = 4.0
PATH = "/v1/stream"
# The one that has sockets.
STREAMING = "softsell"
# A score that is not there by then is lost.
_PATIENCE_S = 10.0


@dataclass(slots=True)
class Told:
    """What came back over all sockets. Every turn sent is in `latencies_s`, or was lost."""

    sent: int = 0
    latencies_s: list[float] = field(default_factory=list)
    out_of_order: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """Turns without a score."""
        return self.sent - len(self.latencies_s)

    def failed(self, code: str) -> None:
        """Count what was no score."""
        self.errors[code] = self.errors.get(code, 0) + 1


class Caller:
    """One socket: sends the turns of a call at their moments, and acknowledges what is answered."""

    def __init__(self, connection: ClientConnection, call: Conversation, told: Told) -> None:
        self._connection = connection
        self._call = call
        self._told = told
        self._sent_at: dict[str, float] = {}
        self._scored = 0
        self._seq = 0

    async def _send(self, kind: str, **more: Any) -> None:
        self._seq += 1
        await self._connection.send(json.dumps({"type": kind, "seq": self._seq, **more}))

    async def run(self, first_s: float, every_s: float) -> None:
        """Open, wait `first_s`, send all turns, and wait for their scores."""
        try:
            await self._send("open", channel="voice")
            opened = json.loads(await self._connection.recv())
            if opened["type"] != "opened":
                self._told.failed(str(opened["type"]))
                return
            start = time.perf_counter() + first_s
            reading = asyncio.create_task(self._read())
            for number, turn in enumerate(self._call.turns):
                await asyncio.sleep(max(0.0, start + number * every_s - time.perf_counter()))
                self._sent_at[turn.id] = time.perf_counter()
                self._told.sent += 1
                await self._send("turn", id=turn.id, role=turn.role, text=turn.text)
            await asyncio.wait([reading], timeout=_PATIENCE_S)
            reading.cancel()
            await self._send("close")
        except (OSError, WebSocketException) as error:
            self._told.failed(type(error).__name__)

    async def _read(self) -> None:
        try:
            while self._scored < len(self._call.turns):
                await self._take(json.loads(await self._connection.recv()))
        except WebSocketException as error:
            self._told.failed(type(error).__name__)

    async def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "score":
            id_ = frame["turn"]["id"]
            if id_ != self._call.turns[self._scored].id:
                self._told.out_of_order += 1
            if id_ in self._sent_at:
                self._told.latencies_s.append(time.perf_counter() - self._sent_at.pop(id_))
                self._scored += 1
        elif frame["type"] == "error":
            self._told.failed(str(frame["problem"].get("code", "error")))
        if frame["type"] != "opened":
            # The number is the server's, not this client's own.
            await self._connection.send(json.dumps({"type": "ack", "seq": frame["seq"]}))


async def converse(port: int, calls: Sequence[Conversation], every_s: float) -> Told:
    """All calls at once, their turns spread over the time between two."""
    told = Told()

    async def one(place: int, call: Conversation) -> None:
        try:
            async with connect(f"ws://{HOST}:{port}{PATH}", compression=None, open_timeout=_PATIENCE_S) as connection:
                await Caller(connection, call, told).run(every_s * (1 + place / len(calls)), every_s)
        except (OSError, WebSocketException) as error:
            told.failed(type(error).__name__)

    await asyncio.gather(*(one(place, call) for place, call in enumerate(calls)))
    return told


def _key(subject: Subject) -> str:
    return f"sockets/{subject.name}/0"


def _stamp(run: Run, subject: Subject) -> str:
    return f"{subject.stamp()}/{run.plan.sockets_s:g}s"


def _wanted(run: Run) -> list[Subject]:
    return [
        subject
        for subject in run.plan.subjects
        if subject.name != FLOOR and not run.results.has(_key(subject), _stamp(run, subject))
    ]


def left(run: Run) -> int:
    """How many cells are still to be measured; once each, since it takes minutes."""
    return len(_wanted(run))


async def measure(run: Run) -> None:
    """All that is wanted."""
    for subject in _wanted(run):
        try:
            async with subject.started(run.encoder) as server:
                cell = await _cell(run, subject, server)
        except (NotInstalled, DidNotStart) as error:
            run.tell(f"{subject.name}: {error}")
        else:
            run.done(_key(subject), _stamp(run, subject), cell)


async def _cell(run: Run, subject: Subject, server: Server) -> dict[str, Any]:
    turns = max(1, int(run.plan.sockets_s / EVERY_S))
    calls = Calls(run.conversations, "sockets")
    others, cpu_s, own_cpu_s = Others(), server.cpu_s(), time.process_time()
    began = time.perf_counter()
    if subject.name == STREAMING:
        told = await converse(server.port, [calls.of_length(turns) for _ in range(SOCKETS)], EVERY_S)
    else:
        told = await _as_requests(run, subject, server, turns)
    seconds = time.perf_counter() - began
    used_s, own_s = server.cpu_s() - cpu_s, time.process_time() - own_cpu_s
    cores = os.cpu_count() or 1
    return {
        "by": "sockets" if subject.name == STREAMING else "requests",
        "sent": told.sent,
        "lost": told.lost,
        "out_of_order": told.out_of_order,
        "errors": told.errors,
        **quantiles(told.latencies_s),
        "cpu_share": round(used_s / seconds / cores, 4),
        "memory_mb": round(server.memory_mb()),
        "generator_share": round(own_s / seconds / cores, 4),
        "others_share": round(others.share(used_s + own_s), 4),
        "load_average": os.getloadavg()[0],
    }


async def _as_requests(run: Run, subject: Subject, server: Server, turns: int) -> Told:
    async def nothing() -> None:
        pass

    sessions = run.sessions(subject, "context", "sockets")
    tally = await open_loop(server.port, sessions, SOCKETS / EVERY_S, turns * EVERY_S, _PATIENCE_S, nothing)
    return Told(tally.sent + tally.not_sent, tally.latencies_s, 0, tally.failures)

"""A server in a process of its own, from its start to its end: how long it takes, and what it and its children use."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from benchmarks.connection import Connection
from benchmarks.wire import Wire

ROOT = Path(__file__).resolve().parents[1]
START_WITHIN_S = 120.0
_STOP_WITHIN_S = 15.0
_POLL_S = 0.02
# Settings of the caller's own shell, and kernels that a current OpenBLAS does not need, are no part of a subject.
_LEFT_OUT = ("SOFTSELL_", "OPENBLAS_")


class DidNotStart(Exception):
    """A server gave no answer; the message says where its log is."""


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """The variables that a subject is started with."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)} | dict(more)


def free_port() -> int:
    """A port that nothing listens on at the moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """A running subject."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, start_s: float) -> None:
        self.port = port
        self.start_s = start_s
        self._process = process

    def _all(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            own = psutil.Process(self._process.pid)
            return [own, *own.children(recursive=True)]
        return []

    @property
    def alive(self) -> bool:
        """Whether its first process runs."""
        return self._process.poll() is None

    def cpu_s(self) -> float:
        """Processor time of all its processes so far."""
        total = 0.0
        for process in self._all():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def memory_mb(self) -> float:
        """Its processes' share of memory (PSS): pages that several of them use are counted once."""
        total = 0
        for process in self._all():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += process.memory_full_info().pss
        return total / 2**20

    def stop(self, by: signal.Signals) -> None:
        """End it and what it has started, gently at first."""
        started = self._all()
        if self.alive:
            self._process.send_signal(by)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_WITHIN_S)
        _, left = psutil.wait_procs(started, 2.0)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()


async def _first_answer(process: subprocess.Popen[bytes], port: int, wire: Wire, content: bytes) -> bool:
    end = time.monotonic() + START_WITHIN_S
    connection = Connection(port, START_WITHIN_S)
    while process.poll() is None and time.monotonic() < end:
        answer = await connection.ask(content)
        if answer.ok:
            wire.scored(answer.body)
            connection.close()
            return True
        await asyncio.sleep(_POLL_S)
    return False


@asynccontextmanager
async def running(
    command: Sequence[str], variables: Mapping[str, str], wire: Wire, first: bytes, log: Path, stop_by: signal.Signals
) -> AsyncIterator[Server]:
    """Start a server, wait for its answer to the request `first`, and end it with the block.

    `{port}` in the command stands for the port.

    Raises:
        DidNotStart: if it ends, or does not answer with status 200, within `START_WITHIN_S`.
    """
    port = free_port()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        began = time.monotonic()
        process = subprocess.Popen(
            [part.replace("{port}", str(port)) for part in command],
            cwd=ROOT,
            env=environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
        server = Server(process, port, 0.0)
        try:
            if not await _first_answer(process, port, wire, first):
                code = process.poll()
                how = f"gave no answer in {START_WITHIN_S:g} s" if code is None else f"ended with code {code}"
                raise DidNotStart(f"it {how}; see {log.relative_to(ROOT)}")
            server.start_s = time.monotonic() - began
            yield server
        finally:
            server.stop(stop_by)

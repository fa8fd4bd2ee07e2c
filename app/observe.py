"""What an operator sees: one JSON line a request on stderr, and metrics for Prometheus.

Neither ever holds a word of a transcript. Requests are named by route template, never by path or
query; exceptions by type and place in the code, never by message or local variables, since both may
carry what a caller sent.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LOGGER = "softsell"
_SOURCE = Path(__file__).resolve().parent.parent
_MOST_FRAMES = 30
_LATENCIES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.6, 1.0, 2.5, 5.0, 10.0, 30.0)


def frames(error: BaseException) -> list[str]:
    """Where an exception came from, as `file:line function`, the innermost last; no message."""
    found: list[str] = []
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        shown = path.relative_to(_SOURCE) if path.is_relative_to(_SOURCE) else Path(*path.parts[-2:])
        found.append(f"{shown}:{frame.lineno} {frame.name}")
    return found[-_MOST_FRAMES:]


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, and then those that led to it."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, message, and what the record has in `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        """Render; an exception becomes its types and frames."""
        instant = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{instant}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            # asyncio appends the repr of a task, and with it the message of its exception.
            "message": record.getMessage().partition("\n")[0],
        }
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1]:
            line["error"] = [{"type": type(e).__name__, "frames": frames(e)} for e in causes(record.exc_info[1])]
        return json.dumps(line, ensure_ascii=True, default=str)


def _names_no_address(record: logging.LogRecord) -> bool:
    # uvicorn logs the address of a WebSocket with its query string.
    return '"WebSocket %s"' not in str(record.msg)


def configure_logging(level: str) -> None:
    """Send all records of this process to stderr as `JsonLines`; for whoever starts a process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(_names_no_address)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # At level debug it logs hosts and signatures.
    logging.getLogger("httpcore2").setLevel(logging.WARNING)


class Metrics:
    """The counters of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.received = self._counter("requests_received", "Requests whose header has come in.")
        self.answered = self._counter(
            "requests", "Requests that ended, by status; 499 if the client had gone.", "method", "route", "status"
        )
        self.duration_s = Histogram(
            "softsell_request_duration_seconds",
            "Time from a request's header to the end of its answer.",
            ["route"],
            buckets=_LATENCIES_S,
            registry=self.registry,
        )
        self.in_flight = Gauge("softsell_requests_in_flight", "Requests being answered.", registry=self.registry)
        self.conversations = self._counter("conversations_scored", "Conversations scored.")
        self.turns = self._counter("turns_scored", "Turns of the conversations scored.")
        self.tokens = self._counter("tokens_scored", "Tokens of the conversations scored.")
        self.alerts = self._counter("alerts", "Alerts of live calls, by what became of them.", "category", "state")
        self.sockets_closed = self._counter("sockets_closed", "Sockets that ended, by close code.", "code")
        self.frames = self._counter("frames", "Frames of sockets.", "direction", "type")
        self.webhook_attempts = self._counter(
            "webhook_attempts", "Attempts to send messages to webhooks, by what came of them.", "event", "outcome"
        )
        self.model_failures = self._counter("model_failures", "Forward passes that raised or gave no finite numbers.")

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"softsell_{name}", documentation, labels, registry=self.registry)

    def watch(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Add a gauge whose value is read when metrics are."""
        Gauge(f"softsell_{name}", documentation, registry=self.registry).set_function(read)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)

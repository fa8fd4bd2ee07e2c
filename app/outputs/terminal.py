"""Reports for people, one after the other, on a terminal or into what it is piped into."""

from __future__ import annotations

import sys

from rich.console import Console

from app.outputs.result import About, Result
from app.report import Report


class TerminalWriter:
    """Prints on stdout."""

    def __init__(self, about: About) -> None:
        if hasattr(sys.stdout, "reconfigure"):
            # A terminal of another encoding, or half of an emoji in a transcript, must not end the run.
            sys.stdout.reconfigure(errors="replace")
        self._report = Report(Console(), about.model_version, turns=about.turns)

    def write(self, result: Result) -> None:
        """Print one report."""
        self._report.print(result.where, result.conversation, result.score, result.taken.speakers)

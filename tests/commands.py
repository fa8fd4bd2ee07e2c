"""Runs the command line for tests, in this process or in one of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from app.cli import cli

ROOT = Path(__file__).resolve().parent.parent
CALL = """Renewal call

[00:00] Agent: Good morning, what can I do for you?
[00:05] Customer: I need cover for my mum.
[00:12] Agent: Approval is guaranteed.
Hurry, it ends today!
"""


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=stdin, catch_exceptions=False)


def start(arguments: Sequence[str], prelude: str = "", **options: Any) -> subprocess.Popen[bytes]:
    code = f"{prelude}\nfrom app.cli import main; main()"
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, **options)

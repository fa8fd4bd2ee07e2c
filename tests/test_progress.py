"""What the command line shows on a terminal: colours, and a bar that never mixes with the output."""

from __future__ import annotations

import os
import pty
import select
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.commands import run, start

pytestmark = pytest.mark.usefixtures("stub_engine")


def on_terminal(arguments: Sequence[str], *, stdout: Any = None) -> tuple[str, int]:
    """Run with stderr, and stdout unless given, on a terminal; what that shows, and the exit code."""
    leader, follower = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    environment.pop("NO_COLOR", None)
    process = start(arguments, stdin=follower, stdout=stdout or follower, stderr=follower, env=environment)
    os.close(follower)
    shown, ends = b"", time.monotonic() + 30
    while time.monotonic() < ends:
        if not select.select([leader], [], [], 0.1)[0]:
            continue
        try:
            part = os.read(leader, 65_536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(leader)
    return shown.decode(), process.wait(timeout=10)


def test_on_a_terminal_words_are_coloured(call: str) -> None:
    shown, code = on_terminal(["score", call])
    assert code == 0
    assert "\x1b[1;4;31mguaranteed" in shown
    assert "[guaranteed]" not in shown
    assert "scoring" not in shown


def test_a_bar_is_shown_for_several_conversations_on_a_terminal_only(tmp_path: Path) -> None:
    path = tmp_path / "two.jsonl"
    path.write_text('{"turns": [{"role": "agent", "text": "Hello."}]}\n' * 5, encoding="utf-8")
    out = tmp_path / "out.jsonl"
    with out.open("wb") as stdout:
        shown, code = on_terminal(["score", "--json", str(path), str(tmp_path / "none")], stdout=stdout)
    assert code == 1
    assert "scoring" in shown
    assert "/6" in shown
    assert "none: cannot be read" in shown
    assert len(out.read_text(encoding="utf-8").splitlines()) == 5
    assert run("score", "--json", str(path)).stderr == ""

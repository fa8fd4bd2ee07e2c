"""docs/command-line.md shows what the commands print. `python -m tests.test_command_line_page` writes it anew."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import cli

PAGE = Path(__file__).resolve().parent.parent / "docs" / "command-line.md"
_CONSOLE = re.compile(r"```console\n\$ softsell ([^\n]*)\n(.*?)```", re.DOTALL)
_CALL = re.compile(r"`call\.txt`:\n\n```text\n(.*?)```", re.DOTALL)


def rendered(page: str, directory: Path) -> str:
    """The page with the commands' outputs, run in `directory` with the stub engine."""
    call = _CALL.search(page)
    assert call is not None
    (directory / "call.txt").write_text(call.group(1), encoding="utf-8")
    good = '{"id": "c-1", "turns": [{"role": "agent", "text": "Hello, good morning."}]}'
    (directory / "broken.jsonl").write_text(f'{good}\n{{"turns": [\n', encoding="utf-8")

    def output(match: re.Match[str]) -> str:
        result = CliRunner().invoke(cli, shlex.split(match.group(1)), env={"SOFTSELL_ENGINE": "stub"})
        # Blank lines at the end of a report would be trimmed by editors.
        return f"```console\n$ softsell {match.group(1)}\n{result.output.rstrip()}\n```"

    before = Path.cwd()
    os.chdir(directory)
    try:
        return _CONSOLE.sub(output, page)
    finally:
        os.chdir(before)


def test_the_page_shows_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SOFTSELL_")]:
        monkeypatch.delenv(name)
    page = PAGE.read_text(encoding="utf-8")
    assert len(_CONSOLE.findall(page)) == 3
    assert rendered(page, tmp_path) == page, "run `python -m tests.test_command_line_page`, and read what changed"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8"), Path(directory)), encoding="utf-8")

"""`softsell keys` as an operator uses it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from app.store.database import Database


@pytest.fixture(autouse=True)
def data_dir(stub_engine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOFTSELL_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*arguments: str, fails: bool = False) -> Result:
    result = CliRunner().invoke(cli, ["keys", *arguments])
    assert result.exit_code == int(fails), result.output
    return result


def create(*arguments: str) -> str:
    return run("create", *arguments).stdout.strip()


def test_a_key_is_printed_once_alone(data_dir: Path) -> None:
    result = run("create", "crm", "--tenant", "acme", "--scopes", "batch, score", "--requests-per-minute", "60")
    assert re.fullmatch(r"ssk_[0-9a-f]{10}_[0-9a-f]{48}\n", result.stdout)
    secret = result.stdout.strip()
    assert secret not in result.stderr
    assert "only time" in result.stderr
    (line,) = run("list").stdout.splitlines()
    assert secret[15:] not in line
    assert line.startswith(f"{secret[:14]}  acme  crm  score,batch  valid  60 requests/min")
    assert line.endswith("0 requests, 0 turns; today 0, 0  never used")
    assert all(secret[15:].encode() not in file.read_bytes() for file in data_dir.iterdir())


def test_a_list_is_of_one_tenant(data_dir: Path) -> None:
    assert "keys create" in run("list").stderr
    assert not data_dir.exists()
    create("one", "--tenant", "acme")
    create("two", "--tenant", "globex")
    assert [line.split()[2] for line in run("list", "--tenant", "globex").stdout.splitlines()] == ["two"]


def test_a_key_is_revoked_by_its_beginning_or_all_of_it() -> None:
    one, other = create("one"), create("two")
    told = run("revoke", one[:14]).stdout + run("revoke", other).stdout
    assert other[15:] not in told
    assert all("  revoked 2" in line for line in run("list").stdout.splitlines())
    assert "keys list" in run("revoke", "ssk_0000000000", fails=True).stderr


def test_a_key_is_rotated() -> None:
    old = create("crm", "--expires-days", "30")
    new = run("rotate", old[:14], "--overlap-hours", "2").stdout.strip()
    assert new[:14] != old[:14]
    first, second = run("list").stdout.splitlines()
    assert "  until 2" in first
    assert f"followed by {new[:14]}" in first
    assert second.startswith(f"{new[:14]}  local  crm  score,read  until 2")
    assert new[:14] in run("rotate", old, fails=True).stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("x", "--scopes", "all"), "there are score, batch, read, admin, metrics"),
        (("x", "--scopes", ","), "at least one scope"),
        (("x", "--tenant", "A B"), "tenant"),
        (("x", "--turns-per-minute", "0"), "at least 1"),
    ],
)
def test_what_cannot_be_a_key_is_one_line_on_stderr(arguments: tuple[str, ...], told: str) -> None:
    result = run("create", *arguments, fails=True)
    assert told in result.stderr
    assert (result.stdout, len(result.stderr.splitlines())) == ("", 1)


def test_a_store_that_cannot_be_used_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"nonsense" * 1000)
    monkeypatch.setenv("SOFTSELL_DATABASE_URL", f"sqlite:///{broken}")
    assert "damaged" in run("create", "x", fails=True).stderr
    assert Database(f"sqlite:///{broken}").in_use

"""`softsell db` as an operator uses it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.settings import Settings
from app.store.conversations import Conversations
from app.store.database import Database
from tests.databases import new_database
from tests.store.stored import stored

pytestmark = pytest.mark.usefixtures("stub_engine")


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOFTSELL_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*arguments: str, fails: bool = False) -> str:
    result = CliRunner().invoke(cli, ["db", *arguments])
    assert result.exit_code == int(fails), result.output
    return result.output


def test_a_store_is_made_copied_restored_and_purged(data_dir: Path, tmp_path: Path) -> None:
    assert "nothing to back up" in run("backup", str(tmp_path / "copy.db"), fails=True)
    assert run("purge") == "conversations deleted: 0, batches deleted: 0\n"
    assert not data_dir.exists()
    run("migrate")
    database = Database(Settings().store_url)
    Conversations(database, timedelta(days=1), timedelta(days=1)).put(stored("kept"))
    Conversations(database, timedelta(0), timedelta(days=1)).put(stored("expired"))
    run("backup", str(tmp_path / "copy.db"))
    assert run("purge") == "conversations deleted: 1, batches deleted: 0\n"
    assert "erased again: 0" in run("restore", str(tmp_path / "copy.db"))
    assert run("purge") == "conversations deleted: 1, batches deleted: 0\n"
    database.close()


def test_restoring_a_lost_store_says_that_erasures_are_lost_with_it(data_dir: Path, tmp_path: Path) -> None:
    run("migrate")
    run("backup", str(tmp_path / "copy.db"))
    (data_dir / "softsell.db").unlink()
    assert "erase that again" in run("restore", str(tmp_path / "copy.db"))
    assert "erase that again" not in run("restore", str(tmp_path / "copy.db"))


def test_what_is_wrong_is_said_in_one_line(data_dir: Path, tmp_path: Path) -> None:
    data_dir.write_bytes(b"")
    assert run("migrate", fails=True).startswith("softsell: the store cannot be opened")
    assert run("restore", str(tmp_path / "missing"), fails=True).startswith("softsell: there is no such backup")


@pytest.mark.parametrize("url", ["hunter2", "mysql://u:hunter2@h/n", "sqlite://"])
def test_a_wrong_url_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SOFTSELL_DATABASE_URL", url)
    output = run("migrate", fails=True)
    assert "SOFTSELL_DATABASE_URL" in output
    assert "hunter2" not in output


def test_postgresql_is_migrated_and_purged_but_not_copied(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with new_database(postgresql) as url:
        monkeypatch.setenv("SOFTSELL_DATABASE_URL", url)
        run("migrate")
        assert run("purge") == "conversations deleted: 0, batches deleted: 0\n"
        assert "pg_dump" in run("backup", "copy.dump", fails=True)

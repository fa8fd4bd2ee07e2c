"""A copy is whole whatever goes on meanwhile, and bringing it back brings back nothing that was erased."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from app.store.backup import BackupFailed, back_up, restore
from app.store.conversations import Conversations, Person
from app.store.database import Database
from tests.databases import new_database
from tests.store.stored import stored

DAY = timedelta(days=1)
AGENT = Person("a-1", is_agent=True)


@pytest.fixture
def conversations(tmp_path: Path) -> Iterator[Conversations]:
    (tmp_path / "data").mkdir()
    made = Conversations(Database(f"sqlite:///{tmp_path / 'data' / 'softsell.db'}"), DAY, DAY)
    yield made
    made.database.close()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    (tmp_path / "copies").mkdir()
    return tmp_path / "copies" / "copy.db"


def ids(conversations: Conversations) -> list[str]:
    return [found.id for found in conversations.export("local", AGENT)]


def test_a_copy_is_one_file_for_its_owner_alone(conversations: Conversations, copy: Path) -> None:
    conversations.put(stored("c-1"))
    copy.write_bytes(b"an older copy")
    back_up(conversations.database, copy)
    assert list(copy.parent.iterdir()) == [copy]
    assert copy.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(copy)) as opened:
        assert opened.execute("SELECT id FROM conversations").fetchall() == [("c-1",)]


def test_a_copy_under_writes_is_of_one_moment(conversations: Conversations, copy: Path) -> None:
    conversations.put(stored("pair-0-a"))
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            pair = [stored(f"pair-{number}-{part}", text={"turns": "x" * 5_000}) for part in "ab"]
            with conversations.database.write() as session:
                conversations.put_within(session, pair)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            back_up(conversations.database, copy)
    finally:
        done.set()
        writer.join()
    with closing(sqlite3.connect(copy)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        odd = "SELECT count(*) FROM conversations GROUP BY substr(id, 1, length(id) - 2) HAVING count(*) <> 2"
        assert opened.execute(odd).fetchall() == [(1,)]


def test_restored_it_is_as_it_was_but_for_what_was_erased(conversations: Conversations, copy: Path) -> None:
    for id_ in ("kept", "erased", "erased and stored anew"):
        conversations.put(stored(id_))
    back_up(conversations.database, copy)
    conversations.put(stored("later"))
    conversations.erase("local", "erased")
    conversations.erase("local", "erased and stored anew")
    conversations.put(stored("erased and stored anew"))
    assert restore(conversations.database, copy) == (2, True)
    assert ids(conversations) == ["kept"]
    folder = copy.parent.parent / "data"
    # The copy itself still has it.
    assert b"erased and stored anew" in copy.read_bytes()
    assert not any(b"erased and stored anew" in file.read_bytes() for file in folder.iterdir())
    # Once more, since the restored store has to remember what it erased again.
    assert restore(conversations.database, copy) == (2, True)
    assert ids(conversations) == ["kept"]


def test_a_server_that_runs_sees_the_restored_store(conversations: Conversations, copy: Path) -> None:
    conversations.put(stored("c-1"))
    back_up(conversations.database, copy)
    conversations.put(stored("c-2"))
    command = Database(f"sqlite:///{conversations.database.file}")
    restore(command, copy)
    command.close()
    assert ids(conversations) == ["c-1"]
    conversations.put(stored("c-3"))
    assert ids(conversations) == ["c-1", "c-3"]


def test_a_store_that_is_gone_is_restored(conversations: Conversations, copy: Path, tmp_path: Path) -> None:
    conversations.put(stored("c-1"))
    back_up(conversations.database, copy)
    elsewhere = Conversations(Database(f"sqlite:///{tmp_path / 'new' / 'softsell.db'}"), DAY, DAY)
    assert restore(elsewhere.database, copy) == (0, False)
    assert ids(elsewhere) == ["c-1"]
    elsewhere.database.close()


def test_a_damaged_store_is_restored(conversations: Conversations, copy: Path) -> None:
    conversations.put(stored("c-1"))
    back_up(conversations.database, copy)
    file = conversations.database.file
    assert file is not None
    conversations.database.close()
    file.write_bytes(b"nothing of a database " * 1_000)
    assert restore(conversations.database, copy) == (0, False)
    assert ids(conversations) == ["c-1"]
    assert {each.name for each in file.parent.iterdir() if each.name.endswith("damaged")} == {"softsell.db.damaged"}


@pytest.mark.parametrize("content", [b"", b"nothing of a database " * 1_000])
def test_no_backup_changes_nothing(conversations: Conversations, copy: Path, content: bytes) -> None:
    conversations.put(stored("c-1"))
    copy.write_bytes(content)
    with pytest.raises(BackupFailed, match="not a whole backup"):
        restore(conversations.database, copy)
    with pytest.raises(BackupFailed, match="no such backup"):
        restore(conversations.database, copy.with_name("missing"))
    assert ids(conversations) == ["c-1"]


def test_a_backup_of_a_newer_softsell_changes_nothing(conversations: Conversations, copy: Path) -> None:
    conversations.put(stored("c-1"))
    back_up(conversations.database, copy)
    with closing(sqlite3.connect(copy)) as opened:
        opened.execute("UPDATE alembic_version SET version_num = '9999'")
        opened.commit()
    with pytest.raises(BackupFailed, match="newer"):
        restore(conversations.database, copy)
    assert ids(conversations) == ["c-1"]


def test_where_nothing_is_stored_nothing_is_copied(conversations: Conversations, copy: Path) -> None:
    with pytest.raises(BackupFailed, match="nothing to back up"):
        back_up(conversations.database, copy)
    assert list(copy.parent.iterdir()) == []
    conversations.put(stored())
    with pytest.raises(BackupFailed, match="cannot be written"):
        back_up(conversations.database, copy / "no" / "folder")


def test_postgresql_has_its_own_programs(postgresql: str, copy: Path) -> None:
    with new_database(postgresql) as url:
        database = Database(url)
        with pytest.raises(BackupFailed, match="pg_dump"):
            back_up(database, copy)
        with pytest.raises(BackupFailed, match="pg_restore"):
            restore(database, copy)
        database.close()

"""A database keeps whole transactions, takes one writer at a time, and says what is wrong with it."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, func, select, text

from app.core.errors import StoreUnavailable
from app.store import database as module
from app.store.conversations import Conversations
from app.store.database import Database
from app.store.tables import StoredConversation
from tests.databases import as_nobody
from tests.serving import ROOT
from tests.store.stored import stored


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "softsell.db"


@pytest.fixture
def in_file(file: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{file}")
    yield made
    made.close()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for a lock."""
    monkeypatch.setattr(module, "BUSY_S", 0.1)


@contextmanager
def reason(expected: str) -> Iterator[None]:
    with pytest.raises(StoreUnavailable) as raised:
        yield
    assert raised.value.reason == expected
    assert "SELECT" not in str(raised.value)
    assert "c-1" not in str(raised.value)


def put(database: Database, id_: str = "c-1") -> None:
    with database.write() as session:
        session.merge(stored(id_, created_at=func.current_timestamp(), expires_at=func.current_timestamp()))


def count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(StoredConversation)) or 0


def test_what_raises_is_not_stored(database: Database) -> None:
    def half() -> None:
        with database.write() as session:
            session.add(stored(created_at=func.current_timestamp(), expires_at=func.current_timestamp()))
            session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert count(database) == 0
    put(database)
    assert count(database) == 1


def test_a_reading_session_stores_nothing(database: Database) -> None:
    put(database)
    with database.read() as session:
        session.execute(text("DELETE FROM conversations"))
    assert count(database) == 1


def test_writers_wait_for_one_another(database: Database) -> None:
    """Each reads a number and writes the next; with two at once, one would be lost or refused."""
    put(database)

    def count_up(_: int) -> None:
        with database.write() as session:
            found = session.scalars(select(StoredConversation).with_for_update()).one()
            found.risk = (found.risk or 0) + 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count_up, range(100)))
    with database.read() as session:
        assert session.scalars(select(StoredConversation)).one().risk == 100.5


def test_sqlite_is_set_to_lose_and_to_leave_nothing(in_file: Database) -> None:
    with in_file.write() as session:
        found = {
            name: session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "temp_store", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "temp_store": 2,
        "busy_timeout": 5000,
    }


@pytest.mark.usefixtures("hasty")
def test_locked_by_another_process_it_says_so_and_recovers(in_file: Database, file: Path) -> None:
    put(in_file)
    with closing(sqlite3.connect(file)) as other:
        in_file.close()
        in_file.open()
        other.execute("BEGIN IMMEDIATE")
        with reason("locked"):
            put(in_file)
        assert not in_file.healthy()
        assert count(in_file) == 1
    put(in_file, "c-2")
    assert in_file.healthy()


@pytest.mark.usefixtures("hasty")
def test_a_writer_of_this_process_that_does_not_end_locks_the_others_out(in_file: Database) -> None:
    put(in_file)
    with in_file.write(), ThreadPoolExecutor(1) as other, reason("locked"):
        other.submit(put, in_file).result()


def test_a_sweep_in_the_way_of_a_reader_is_not_done(in_file: Database, file: Path, hasty: None) -> None:
    put(in_file)
    with closing(sqlite3.connect(file)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM conversations").fetchone()
        put(in_file, "c-2")
        assert not in_file.sweep()
    assert in_file.sweep()


def test_a_full_disk(in_file: Database) -> None:
    put(in_file)

    def small_disk(connection: sqlite3.Connection, *_: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    engine = in_file._opened()
    engine.dispose()
    event.listen(engine, "connect", small_disk)
    with reason("full"), in_file.write() as session:
        session.add(
            stored(
                "c-2",
                text={"turns": "x" * 1_000_000},
                created_at=func.current_timestamp(),
                expires_at=func.current_timestamp(),
            )
        )
    assert count(in_file) == 1


def test_read_only(file: Path) -> None:
    made = Database(f"sqlite:///{file}")
    put(made)
    made.close()
    file.chmod(0o444)
    with as_nobody(file):
        readable = Database(f"sqlite:///{file}")
        with reason("read_only"):
            put(readable)
        assert not readable.healthy()
        readable.close()


def test_gone_is_not_written_to_for_ever_nor_begun_anew(in_file: Database, file: Path) -> None:
    put(in_file)
    in_file.sweep()
    moved = file.with_name("moved.db")
    file.rename(moved)
    for _ in range(2):
        with reason("gone"):
            put(in_file, "c-2")
        with reason("gone"):
            count(in_file)
    assert not in_file.healthy()
    assert not file.exists()
    moved.rename(file)
    assert count(in_file) == 1


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    made = Database(f"sqlite:///{tmp_path / 'file' / 'softsell.db'}")
    with reason("cannot_open"):
        put(made)
    assert count(made) == 0


@pytest.mark.parametrize("content", [b"not a database, but long enough for a header" * 100])
def test_a_damaged_file(in_file: Database, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with reason("damaged"):
        put(in_file)
    with reason("damaged"):
        count(in_file)
    assert file.read_bytes() == content


def test_postgresql_that_is_not_there() -> None:
    made = Database("postgresql://softsell:hunter2@127.0.0.1:9/softsell")
    with reason("not_reached"):
        made.open()
    assert not made.healthy()


def test_postgresql_that_goes_and_comes_back(database: Database) -> None:
    put(database)
    if not database.is_sqlite:
        with pytest.raises(StoreUnavailable), database.write() as session:
            session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    put(database, "c-2")
    assert count(database) == 2


@pytest.mark.parametrize("url", ["", "hunter2", "sqlite://", "sqlite:///:memory:", "mysql://user:hunter2@host/name"])
def test_a_url_of_another_kind_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StoreUnavailable) as raised:
        Database(url)
    assert "SOFTSELL_DATABASE_URL" in str(raised.value)
    assert "hunter2" not in str(raised.value)


WRITER = """
import sys
from datetime import timedelta
from app.store.conversations import Conversations
from app.store.database import Database
from tests.store.stored import stored
conversations = Conversations(Database(sys.argv[1]), timedelta(days=1), timedelta(days=1))
for number in range(100_000):
    conversations.put(stored(f"{number:06}"))
    print(number, flush=True)
"""


def test_what_was_answered_survives_a_kill(database_url: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, database_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 40:
                process.send_signal(signal.SIGKILL)
        answered = int(line)
    database = Database(database_url)
    conversations = Conversations(database, retention=timedelta(days=1), backup_retention=timedelta(days=1))
    assert all(conversations.get("local", f"{number:06}") for number in range(answered + 1))
    # One may have been stored without its answer having been read.
    assert answered + 1 <= count(database) <= answered + 2
    assert database.healthy()
    database.close()

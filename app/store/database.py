"""One database: a SQLite file that is made when something has to be stored, or PostgreSQL by URL.

Every write is one transaction. SQLite takes one writer at a time: a lock in this process, and BEGIN
IMMEDIATE against other processes, so that no transaction fails half-way for want of the lock. What
goes wrong outside of softsell (disk full, locked, read-only, gone) is `StoreUnavailable`.

Sessions are synchronous and short: asynchronous callers use them in a thread.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from app.core.errors import StoreUnavailable
from app.store.failures import told, unavailable
from app.store.migrations import upgrade
from app.store.tables import BatchItem, OutboxMessage, Schema, StoredConversation

# How long one writer waits for another, and a connection for a server.
BUSY_S = 5.0
_POOL = {"pool_size": 4, "max_overflow": 28, "pool_timeout": BUSY_S}
_POSTGRESQL = {"connect_timeout": int(BUSY_S), "options": f"-c lock_timeout={BUSY_S * 1000:.0f} -c timezone=UTC"}
# Any number that is softsell's alone; held while tables are made or changed.
_MIGRATION_LOCK = 7_363_615_381
# Tables whose deleted rows may hold what a customer said.
_WITH_WORDS = (StoredConversation, BatchItem, OutboxMessage)
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # With NORMAL, a power cut may take back what was already answered.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # What is deleted is overwritten with zeros.
    "PRAGMA secure_delete = ON",
    # No row spills into a file beside the database.
    "PRAGMA temp_store = MEMORY",
)


def _url(given: str) -> URL:
    """The URL with the driver that softsell uses. Raises `StoreUnavailable` if it is none."""
    try:
        url = make_url(given)
    except ArgumentError:
        # The URL may hold a password, so it is not repeated.
        raise StoreUnavailable("the database's URL is not one; set SOFTSELL_DATABASE_URL anew") from None
    if url.get_backend_name() in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return url.set(drivername="sqlite")
    raise StoreUnavailable("SOFTSELL_DATABASE_URL begins with sqlite:/// and a file, or with postgresql://")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, too late and never IMMEDIATE.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("softsell_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Database:
    """A database that opens itself, with its tables up to date, at the first use. Threads may share it."""

    def __init__(self, url: str) -> None:
        """Nothing is opened yet. Raises `StoreUnavailable` if the URL is of no known kind."""
        self._url = _url(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self.file = Path(self._url.database or "") if self.is_sqlite else None
        self._engine: Engine | None = None
        self._identity: tuple[int, int] | None = None
        self._opening = threading.Lock()
        self._writing = threading.Lock()

    @property
    def in_use(self) -> bool:
        """False for a file in which nothing has been stored yet."""
        return self.file is None or self._engine is not None or self.file.exists()

    def open(self) -> None:
        """Make the tables, or bring them up to date; several processes may do so at once."""
        self._opened()

    def close(self) -> None:
        """Give all connections back; the next use opens them anew."""
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = self._identity = None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session to read with; what is written in it is dropped. Raises `StoreUnavailable`.

        Where nothing has been stored yet, it finds empty tables, and no file is made.
        """
        if not self.in_use:
            with _empty() as session:
                yield session
            return
        with told(), Session(self._opened(), expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose work is committed as one when the block ends, and dropped if it raises.

        Keep it short, and never open one within another: in SQLite nobody else writes meanwhile.

        Raises:
            StoreUnavailable: if it cannot be stored; nothing is, then.
        """
        engine = self._opened()
        with self._alone(), told():
            writes = engine.execution_options(softsell_writes=True)
            with Session(writes, expire_on_commit=False) as session, session.begin():
                yield session

    def check(self) -> None:
        """Raise `StoreUnavailable` unless the database can be read and written, or is not in use."""
        if not self.in_use:
            return
        with self.write() as session:
            if self.is_sqlite:
                # In a read-only file, BEGIN IMMEDIATE alone raises nothing.
                session.execute(text("UPDATE alembic_version SET version_num = version_num"))
                session.rollback()
            elif session.scalar(text("SHOW transaction_read_only")) == "on":
                raise unavailable("read_only")

    def healthy(self) -> bool:
        """Whether `check` finds nothing wrong."""
        try:
            self.check()
        except StoreUnavailable:
            return False
        return True

    def sweep(self) -> bool:
        """Leave no remains of what was deleted: empty SQLite's log, vacuum PostgreSQL's tables.

        False if a reader of another process was in the way; call it again later. PostgreSQL's own
        log and its replicas still hold what was deleted until they are recycled.
        """
        if not self.in_use:
            return True
        if self.is_sqlite:
            with self.sqlite() as connection:
                busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy
        with told(), self._opened().connect() as vacuuming:
            vacuuming.execution_options(isolation_level="AUTOCOMMIT")
            for table in _WITH_WORDS:
                vacuuming.exec_driver_sql(f"VACUUM (SKIP_LOCKED) {table.__tablename__}")
        return True

    @contextmanager
    def sqlite(self) -> Iterator[sqlite3.Connection]:
        """SQLite's own connection, outside of a transaction and without another writer of this process."""
        with self._alone(), told():
            connection = self._opened().raw_connection()
            try:
                driver = connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - callers ask `is_sqlite` first
                yield driver
            finally:
                connection.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """In SQLite, one writer of this process at a time."""
        if not self.is_sqlite:
            yield
            return
        if not self._writing.acquire(timeout=BUSY_S):
            raise unavailable("locked")
        try:
            yield
        finally:
            self._writing.release()

    def _opened(self) -> Engine:
        with self._opening:
            if self._engine is not None and self.file is not None:
                # An open file can be written to for ever after it was deleted, and all of it would be lost.
                found = _identity(self.file)
                if found is None:
                    raise unavailable("gone")
                if found != self._identity:
                    self._engine.dispose()
                    self._engine = None
            if self._engine is None:
                self._engine = self._open()
                self._identity = _identity(self.file) if self.file is not None else None
            return self._engine

    def _open(self) -> Engine:
        if self.file is not None:
            _make(self.file)
            engine = create_engine(self._url, connect_args={"timeout": BUSY_S}, hide_parameters=True, **_POOL)
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        else:
            try:
                engine = create_engine(
                    self._url, connect_args=_POSTGRESQL, hide_parameters=True, pool_pre_ping=True, **_POOL
                )
            except ImportError:
                raise StoreUnavailable("PostgreSQL needs a driver; pip install 'softsell[postgres]'") from None
        try:
            self._migrate(engine)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _migrate(self, engine: Engine) -> None:
        give_up = time.monotonic() + BUSY_S
        while True:
            try:
                with told(), engine.execution_options(softsell_writes=True).begin() as connection:
                    if not self.is_sqlite:
                        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
                        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
                    upgrade(connection)
                return
            except CommandError:
                raise unavailable("newer") from None
            except StoreUnavailable as error:
                # Of two processes that turn a new file's log on at once, SQLite lets one fail without a wait.
                if error.reason != "locked" or time.monotonic() > give_up:
                    raise
                time.sleep(0.05)


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _make(file: Path) -> None:
    """Make the file and its folder, for this user alone."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError:
        raise unavailable("cannot_open") from None


@contextmanager
def _empty() -> Iterator[Session]:
    """A session that finds every table, and nothing in it."""
    engine = create_engine("sqlite://", poolclass=StaticPool, hide_parameters=True)
    try:
        Schema.metadata.create_all(engine)
        with Session(engine) as session:
            yield session
    finally:
        engine.dispose()

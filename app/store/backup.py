"""Copies of a SQLite store while it is used, and back; PostgreSQL has pg_dump and pg_restore for that.

Restoring erases again what was erased after the copy was made: a backup must not bring back what a
customer had removed.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import delete, select

from app.core.errors import SoftsellError, StoreUnavailable
from app.store import outbox
from app.store.conversations import conversation_sha256
from app.store.database import Database
from app.store.migrations import is_known
from app.store.tables import Erasure, StoredConversation

# A restore that cannot begin by then does not.
_MOST_S = 10.0


class BackupFailed(SoftsellError):
    """A backup cannot be made or restored; the message says why and what to do."""

    code = "backup_failed"


class Restored(NamedTuple):
    """What became of a restore.

    `erased_again` counts conversations; without `erasures_known`, the store that was replaced could
    not say what had been erased, so the operator has to.
    """

    erased_again: int
    erasures_known: bool


def back_up(database: Database, target: Path) -> None:
    """Copy the store, as it is at one moment, into one file, which is there whole at the end or not at all.

    Raises:
        BackupFailed: if there is nothing to copy, or the file cannot be written.
        StoreUnavailable: if the store cannot be read.
    """
    _only_sqlite(database, "pg_dump --format=custom --file=FILE")
    if not database.in_use:
        raise BackupFailed("there is no store yet, so there is nothing to back up")
    try:
        # Made for this user alone, and beside the target, so that it can be moved there in one step.
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        os.close(handle)
        try:
            with database.sqlite() as source, closing(sqlite3.connect(name)) as copy:
                source.backup(copy)
                # One file, without a log beside it.
                copy.execute("PRAGMA journal_mode = DELETE")
                _check(copy)
            os.replace(name, target)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise BackupFailed(f"the backup cannot be written ({error.strerror}); choose another place") from None


def restore(database: Database, source: Path) -> Restored:
    """Put a backup in the store's place, also while a server runs, and erase again what was erased since.

    Raises:
        BackupFailed: if the file is no whole backup; the store is as it was, then.
        StoreUnavailable: if the store cannot be written, or the backup is of a newer softsell.
    """
    _only_sqlite(database, "pg_restore --clean --dbname=URL FILE")
    if not source.is_file():
        raise BackupFailed("there is no such backup; name a file that `softsell db backup` wrote")
    with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as copy:
        _check(copy)
        erasures = _erasures(database) if database.in_use else None
        give_up = time.monotonic() + _MOST_S

        def in_time(_status: int, remaining: int, _total: int) -> None:
            if remaining and time.monotonic() > give_up:
                raise BackupFailed("the store is in use all the time; stop the server, then try again")

        # SQLite's own locks keep a server that runs from seeing half of it.
        with database.sqlite() as current:
            copy.backup(current, progress=in_time)
    # Its tables may be of an older softsell.
    database.close()
    database.open()
    erased = _erase_again(database, erasures or [])
    database.sweep()
    return Restored(erased, erasures is not None)


def _only_sqlite(database: Database, instead: str) -> None:
    if not database.is_sqlite:
        raise BackupFailed(f"this store is in PostgreSQL; use `{instead}`")


def _check(copy: sqlite3.Connection) -> None:
    try:
        (sound,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
        version = copy.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError:
        sound = "no"
        version = None
    if sound != "ok" or version is None:
        raise BackupFailed("the file is not a whole backup of softsell; use another one")
    if not is_known(version[0]):
        raise BackupFailed("the backup is of a newer softsell; restore it with that version")


def _erasures(database: Database) -> list[Erasure] | None:
    """What the store that is about to be replaced knows to be erased; a damaged one does not, and is set aside."""
    try:
        with database.read() as session:
            return list(session.scalars(select(Erasure).where(Erasure.backups_until > datetime.now(UTC))))
    except StoreUnavailable as error:
        if error.reason != "damaged" or database.file is None:
            raise
        database.close()
        for ending in ("", "-wal", "-shm"):
            part = database.file.with_name(database.file.name + ending)
            if part.exists():
                part.replace(part.with_name(f"{part.name}.damaged"))
        return None


def _key(erasure: Erasure) -> tuple[str, str, datetime]:
    return erasure.tenant, erasure.conversation_sha256, erasure.erased_at


def _erase_again(database: Database, erasures: list[Erasure]) -> int:
    erased = 0
    with database.write() as session:
        known = {_key(erasure) for erasure in session.scalars(select(Erasure))}
        for erasure in [erasure for erasure in erasures if _key(erasure) not in known]:
            # Remembered in the store as it is now, for the next time.
            session.add(
                Erasure(
                    tenant=erasure.tenant,
                    conversation_sha256=erasure.conversation_sha256,
                    erased_at=erasure.erased_at,
                    backups_until=erasure.backups_until,
                )
            )
            stored = select(StoredConversation.id).where(
                StoredConversation.tenant == erasure.tenant, StoredConversation.created_at <= erasure.erased_at
            )
            for id_ in session.scalars(stored).all():
                if conversation_sha256(id_) == erasure.conversation_sha256:
                    erased += 1
                    outbox.forget(session, erasure.tenant, [id_])
                    session.execute(
                        delete(StoredConversation).where(
                            StoredConversation.tenant == erasure.tenant, StoredConversation.id == id_
                        )
                    )
    return erased

"""What a database's own errors mean to an operator: the one table from their codes to `StoreUnavailable`.

Messages of databases and of SQLAlchemy hold values, names of files and addresses; none is passed on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.errors import StoreUnavailable

_WHAT_TO_DO = {
    "full": "the disk of the store is full; free some space, then try again",
    "locked": "the store is locked by other work; try again in a few seconds",
    "read_only": "the store is read-only; let the server's user write to the database's file and folder",
    "cannot_open": "the store cannot be opened; let the server's user write in SOFTSELL_DATA_DIR, or set another",
    "gone": "the store's file is gone; put it back, or restart the server to begin a new one",
    "damaged": "the store's file is damaged; restore a backup with `softsell db restore`",
    "newer": "the store was written by a newer softsell; run that version, or restore a backup of this one",
    "not_reached": "the database cannot be reached; see that it runs, and that SOFTSELL_DATABASE_URL is right",
    "refused": "the database refuses softsell's user; see its rights and its password",
}
# By the name of SQLite's result code, without its extension.
_SQLITE = {
    "FULL": "full",
    "BUSY": "locked",
    "LOCKED": "locked",
    "READONLY": "read_only",
    "PERM": "read_only",
    "CANTOPEN": "cannot_open",
    "IOERR": "cannot_open",
    "AUTH": "cannot_open",
    "CORRUPT": "damaged",
    "NOTADB": "damaged",
}
# By SQLSTATE, or the class it begins with.
_POSTGRESQL = {
    "53100": "full",
    "55P03": "locked",
    "40": "locked",
    "57014": "locked",
    "53": "locked",
    "25006": "read_only",
    "28": "refused",
    "42501": "refused",
}


def unavailable(reason: str) -> StoreUnavailable:
    """The error for one of the reasons known here."""
    return StoreUnavailable(_WHAT_TO_DO[reason], reason)


def _reason(error: DBAPIError) -> str:
    code = getattr(error.orig, "sqlite_errorname", None)
    if code is not None:
        return _SQLITE.get(code.removeprefix("SQLITE_").partition("_")[0], "cannot_open")
    state = getattr(error.orig, "sqlstate", None) or ""
    return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2]) or "not_reached"


@contextmanager
def told() -> Iterator[None]:
    """Raise `StoreUnavailable` for what is wrong with the database; errors of the statements themselves stay."""
    try:
        yield
    except PoolTimeout:
        raise unavailable("locked") from None
    except (IntegrityError, DataError):
        raise
    except DatabaseError as error:
        raise unavailable(_reason(error)) from error
    except sqlite3.DatabaseError as error:
        raise unavailable(_reason(DBAPIError(None, None, error))) from error

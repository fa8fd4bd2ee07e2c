"""Databases to test against: SQLite files, and a PostgreSQL server of the tests' own."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.serving import wait_until

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")


def _program(name: str) -> str | None:
    places = os.pathsep.join([os.environ.get("PATH", ""), *(found for place in _PLACES for found in glob.glob(place))])
    return shutil.which(name, path=places)


def _unprivileged() -> str | None:
    """A user to run PostgreSQL as, which refuses to be root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


@contextmanager
def postgresql_server() -> Iterator[str]:
    """The URL of a server of its own, without a database's name; skips the test where there is no PostgreSQL."""
    initdb, postgres = _program("initdb"), _program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL is not installed: neither on PATH nor in /usr/lib/postgresql/*/bin")
    user = _unprivileged()
    if os.geteuid() == 0 and user is None:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")
    # Not in pytest's folder, which no other user may enter; and short, for the name of the socket.
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        if user is not None:
            shutil.chown(folder, user)
        as_user = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        data = str(Path(folder) / "data")
        subprocess.run([initdb, "-D", data, "-U", "softsell", "-A", "trust", "-N", "-E", "UTF8"], check=True, **as_user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        # What these turn off matters only to a server that outlives its tests.
        quick = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=100", "-c", "autovacuum=off"]
        where = ["-c", f"unix_socket_directories={folder}", "-c", "listen_addresses=127.0.0.1", "-p", str(port)]
        log = (Path(folder) / "log").open("wb")
        server = subprocess.Popen([postgres, "-D", data, *quick, *where], **{**as_user, "stderr": log})
        url = f"postgresql://softsell@127.0.0.1:{port}"
        try:
            wait_until(lambda: server.poll() is not None or _answers(f"{url}/postgres"))
            assert server.poll() is None, "PostgreSQL did not start"
            yield url
        finally:
            server.terminate()
            server.wait(30)
            log.close()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """The URL of an empty database on a server; gone afterwards."""
    name = f"softsell_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{server}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def as_nobody(file: Path) -> Iterator[None]:
    """For root no file is read-only; so as another user, who may enter the folders and write to the last one."""
    if os.geteuid() != 0:
        yield
        return
    opened = [(folder, folder.stat().st_mode) for folder in file.parents if not folder.stat().st_mode & 0o001]
    for folder, mode in opened:
        folder.chmod(mode | 0o011)
    file.parent.chmod(0o777)
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)
        for folder, mode in opened:
            folder.chmod(mode)

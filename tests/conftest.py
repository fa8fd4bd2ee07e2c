"""What tests of several rooms share: applications with the stub model; see `tests/serving.py`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import settings

from app.store.database import Database
from tests.commands import CALL
from tests.databases import new_database, postgresql_server
from tests.serving import Opened, Served, conversation, open_client

# Machines that run tests are shared: how long one example takes says nothing.
settings.register_profile("softsell", deadline=None)
settings.load_profile("softsell")


@pytest.fixture(scope="session", autouse=True)
def own_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test stores anything in the folder of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with open_client() as opened:
        yield opened


@pytest.fixture(scope="session")
def opened() -> Opened:
    return open_client


@pytest.fixture(scope="session")
def good() -> dict[str, Any]:
    return conversation(("agent", "What do you need?"), ("customer", "I need to think, no."))


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Start servers that end with the test."""
    started: list[Served] = []

    def start(*prelude: str, **environment: str) -> Served:
        server = Served(*prelude, **environment)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
        server.ended(within_s=30)


@pytest.fixture
def stub_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting but the stub engine."""
    for name in [name for name in os.environ if name.startswith("SOFTSELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SOFTSELL_ENGINE", "stub")


@pytest.fixture
def call(tmp_path: Path) -> str:
    path = tmp_path / "call.txt"
    path.write_text(CALL, encoding="utf-8")
    return str(path)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A PostgreSQL server of the tests' own, as a URL without a database's name."""
    with postgresql_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Each kind of database, empty: a test that takes this runs once for each."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'softsell.db'}"
        return
    with new_database(request.getfixturevalue("postgresql")) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Each kind of database, with its tables made at the first use."""
    opened = Database(database_url)
    yield opened
    opened.close()

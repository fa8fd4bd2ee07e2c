"""What tests of several rooms share: applications with the stub model; see `tests/serving.py`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import settings

from tests.commands import CALL
from tests.serving import Opened, Served, conversation, open_client

# Machines that run tests are shared: how long one example takes says nothing.
settings.register_profile("softsell", deadline=None)
settings.load_profile("softsell")


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

"""What the tests of the examples share."""

from __future__ import annotations

import http.client
import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from fastapi.testclient import TestClient

from tests.integrations.house import PUBLIC_URL, House, Loaded, running
from tests.serving import ROOT


@pytest.fixture
def house(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """softsell and the vendor; examples find it by the environment."""
    server = House(client)
    monkeypatch.setenv("SOFTSELL_URL", server.url)
    with running(server):
        yield server


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """An example as a module, as if it were run in its own folder; it does not sleep."""
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "integrations"))

    def load(name: str) -> ModuleType:
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    slept: list[float] = []
    calls = load("calls")
    monkeypatch.setattr(calls.time, "sleep", slept.append)
    calls.slept = slept  # type: ignore[attr-defined]
    return load


@pytest.fixture
def deliver(example: Loaded) -> Callable[..., int]:
    """Post to a relay's own server as the vendor would, and wait until it has worked off what it took."""

    def post(module: ModuleType, path: str, body: bytes, headers: dict[str, str]) -> int:
        relay = example("webhooks").Relay(0, PUBLIC_URL, module.genuine, module.work)
        with running(relay):
            connection = http.client.HTTPConnection("127.0.0.1", relay.server_address[1], timeout=20)
            connection.request("POST", path, body, headers)
            status = connection.getresponse().status
            connection.close()
            relay.waiting.join()
        return status

    return post

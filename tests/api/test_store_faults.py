"""A store that does not work: scores are answered as ever, who wants to store is told, and /readyz names it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.settings import Settings
from app.store import database as module
from tests.databases import as_nobody
from tests.serving import conversation, open_client


def call(**options: Any) -> dict[str, Any]:
    return conversation(("agent", "It is guaranteed marmalade"), id="c-2") | {"options": options}


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def gone(file: Path) -> Iterator[None]:
    folder = file.parent.rename(file.parent.with_name("gone"))
    yield
    folder.rename(file.parent)


@contextmanager
def read_only(file: Path) -> Iterator[None]:
    file.chmod(0o444)
    with as_nobody(file):
        yield
    file.chmod(0o644)


@contextmanager
def full(file: Path) -> Iterator[None]:
    """No page more than now, for connections made from here on."""
    with pytest.MonkeyPatch.context() as patch:
        # Less than the file has is taken for as many as it has.
        patch.setattr(module, "_PRAGMAS", (*module._PRAGMAS, "PRAGMA max_page_count = 1"))
        yield


@pytest.mark.parametrize(
    ("fault", "says"),
    [(locked, "locked"), (gone, "is gone"), (read_only, "is read-only"), (full, "is full")],
)
def test_scores_need_no_store(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[Path], AbstractContextManager[None]],
    says: str,
) -> None:
    monkeypatch.setattr(module, "BUSY_S", 0.1)
    file = tmp_path / "data" / "softsell.db"
    with open_client(Settings(engine="stub", data_dir=file.parent)) as client:
        assert client.post("/v1/score", json=call(store=True)).json()["stored"] is True
        assert client.get("/readyz").json()["store"] == "ok"
        database = client.app.state.runtime.keeper.database  # type: ignore[attr-defined]
        if fault is not gone:
            database.close()
        with fault(file):
            score_without_a_store(client, says)
            if fault is not full:
                answer = client.get("/readyz")
                assert answer.status_code == 200
                assert answer.json()["store"].startswith("store_unavailable: the store")
            assert "softsell_store_works 0.0" in client.get("/metrics").text
        database.close()
        found = client.get("/v1/conversations/c-2").json()
        # Nothing of what failed is half-stored.
        assert (found["turns"], found["agent_id"]) == (None, None)
        assert client.post("/v1/score", json=call(store=True)).json()["stored"] is True
        assert client.get("/readyz").json()["store"] == "ok"
        assert "softsell_store_works 1.0" in client.get("/metrics").text


def score_without_a_store(client: TestClient, says: str) -> None:
    assert client.post("/v1/score", json=call()).json()["mis_selling"]["risk"] > 0.9
    body = conversation(("agent", "marmalade " * 10_000), id="c-2", metadata={"agent_id": "a-2"})
    # Turns enough for the stored text to need pages of its own.
    body["conversation"]["turns"][0]["text"] = "marmalade " * 1_900
    response = client.post("/v1/score", json=body | {"options": {"store": True, "store_text": True}})
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "1"
    assert response.json()["code"] == "store_unavailable"
    assert says in response.json()["detail"]
    for word in ("marmalade", "INSERT", "softsell.db", "c-2"):
        assert word not in response.text


def test_a_store_that_was_never_used_is_not_asked_after(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with open_client(Settings(engine="stub", data_dir=tmp_path / "file")) as client:
        assert client.get("/readyz").json() == {"status": "ok", "store": "ok"}
        assert client.post("/v1/score", json=call()).status_code == 200
        response = client.post("/v1/score", json=call(store=True))
        assert response.status_code == 503
        assert "SOFTSELL_DATA_DIR" in response.json()["detail"]
        assert client.get("/v1/conversations/c-2").status_code == 404


def test_a_server_starts_and_scores_without_its_postgresql() -> None:
    url = "postgresql://softsell:hunter2@127.0.0.1:9/softsell"
    with open_client(Settings(engine="stub", database_url=url)) as client:
        assert client.post("/v1/score", json=call()).status_code == 200
        assert client.post("/v1/score", json=call(store=True)).status_code == 503
        for path in ("/v1/conversations/c-2", "/v1/export?agent_id=a", "/v1/conversations?agent_id=a"):
            response = client.get(path)
            assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
            assert "hunter2" not in response.text
        assert client.delete("/v1/conversations/c-2").status_code == 503
        assert "cannot be reached" in client.get("/readyz").json()["store"]

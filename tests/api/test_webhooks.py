"""Webhooks over HTTP: made, changed, tried, rotated, replayed and deleted, each tenant's own."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.core.errors import StoreUnavailable
from app.settings import Settings
from app.store.keys import Scope
from app.store.outbox import Event
from app.store.webhooks import Webhooks
from tests.keyed import bearer, keyed_client
from tests.receiving import Receiver, receiving, status
from tests.serving import ROOT, conversation, open_client, wait_until

URL = "https://hooks.example.com/in"
WORDS = "This plan is guaranteed marmalade"
PATH = "/v1/webhooks"
# In UTC it is in no year that there is.
FAR = {"since": "9999-12-31T23:59:59-12:00"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture
def client(receiver: Receiver, tmp_path: Path) -> Iterator[TestClient]:
    allowed = frozenset({receiver.host})
    with open_client(Settings(engine="stub", data_dir=tmp_path, allowed_webhook_hosts=allowed)) as opened:
        yield opened


def make(client: TestClient, url: str = URL, *events: str, **more: Any) -> dict[str, Any]:
    body = {"url": url, "events": list(events) or ["conversation.scored"], **more}
    response = client.post(PATH, json=body)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    assert response.headers["location"] == f"{PATH}/{made['id']}"
    return made


def deliveries(client: TestClient, made: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    response = client.get(f"{PATH}/{made['id']}/deliveries", params=query)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["deliveries"]
    return found


def delivered(client: TestClient, made: dict[str, Any], count: int) -> bool:
    return [each["state"] for each in deliveries(client, made)] == ["delivered"] * count


def test_a_stored_score_is_told_without_words(client: TestClient, receiver: Receiver) -> None:
    made = make(client, receiver.url)
    body = conversation(("agent", WORDS), ("customer", "I need marmalade."), id="c/1", metadata={"agent_id": "canary"})
    assert client.post("/v1/score", json=body).json()["stored"] is False
    answer = client.post("/v1/score", json={**body, "options": {"store": True, "store_text": True}}).json()
    wait_until(lambda: delivered(client, made, 1))
    (got,) = receiver.got
    told = got.verified(made["secret"])
    assert told["type"] == "conversation.scored"
    assert told["data"] == {
        "conversation_id": "c/1",
        "risk": answer["mis_selling"]["risk"],
        "band": "high",
        "empathy": answer["empathy"]["score"],
        "model_version": "stub",
        "link": "/v1/conversations/c%2F1",
    }
    assert client.get(told["data"]["link"]).json()["band"] == "high"
    for word in (b"guaranteed", b"marmalade", b"need", b"canary"):
        assert word not in got.body
    metrics = client.get("/metrics").text
    assert 'softsell_webhook_attempts_total{event="conversation.scored",outcome="delivered"} 1.0' in metrics
    assert receiver.host not in metrics


def test_a_live_alert_is_told_without_words(client: TestClient, receiver: Receiver) -> None:
    made = make(client, receiver.url, "conversation.alert")
    turns = [{"id": "t-1", "role": "agent", "text": WORDS}]
    answer = client.post("/v1/conversations/c-2/turns", json={"turns": turns}).json()
    (rang,) = [alert for alert in answer["alerts"] if alert["state"] == "raised"]
    wait_until(lambda: delivered(client, made, 1))
    (got,) = receiver.got
    told = got.verified(made["secret"])
    assert told["type"] == "conversation.alert"
    assert told["data"] == {
        "conversation_id": "c-2",
        "category": rang["category"],
        "state": "raised",
        "turn_id": "t-1",
        "total": rang["total"],
    }
    for word in (b"marmalade", b"plan"):
        assert word not in got.body


def test_a_live_conversation_does_not_hang_on_the_store(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise StoreUnavailable("the store is full", "full")

    make(client, URL, "conversation.alert")
    monkeypatch.setattr(Webhooks, "tell", failing)
    turns = [{"id": "t-1", "role": "agent", "text": WORDS}]
    answer = client.post("/v1/conversations/c-2/turns", json={"turns": turns})
    assert answer.json()["alerts"]
    counted = 'softsell_webhook_attempts_total{event="conversation.alert",outcome="not_stored"} 1.0'
    wait_until(lambda: counted in client.get("/metrics").text)


@pytest.mark.parametrize(("text", "event"), [(WORDS, "batch.completed"), (" ", "batch.failed")])
def test_the_end_of_a_batch_is_told_without_words(
    client: TestClient, receiver: Receiver, text: str, event: str
) -> None:
    made = make(client, receiver.url, "batch.completed", "batch.failed")
    line = json.dumps({"custom_id": "marmalade-1", **conversation(("agent", text))})
    sent = client.post("/v1/batches", content=line, headers={"Content-Type": "application/jsonl"})
    assert sent.status_code == 202, sent.text
    wait_until(lambda: delivered(client, made, 1))
    (got,) = receiver.got
    told = got.verified(made["secret"])
    done = int(text == WORDS)
    assert told["type"] == event
    assert told["data"]["counts"] == {"total": 1, "done": done, "failed": 1 - done, "cancelled": 0}
    batch = client.get(told["data"]["link"]).json()
    assert batch["status"] == told["data"]["status"] == "completed"
    for word in (b"marmalade", b"plan"):
        assert word not in got.body


def test_the_secret_is_answered_once(client: TestClient) -> None:
    made = make(client)
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", made["secret"])
    assert made["former_secrets_until"] is None
    kept = {key: value for key, value in made.items() if key not in ("secret", "former_secrets_until")}
    assert (kept["url"], kept["enabled"], kept["state"]) == (URL, True, "active")
    assert client.get(f"{PATH}/{made['id']}").json() == kept
    assert client.get(PATH).json() == {"webhooks": [kept]}
    assert make(client)["secret"] != made["secret"]
    assert "whsec_" not in client.get(PATH).text


def test_a_test_message(client: TestClient, receiver: Receiver) -> None:
    receiver.answers = [status(500)]
    made = make(client, receiver.url, "batch.failed")
    response = client.post(f"{PATH}/{made['id']}/test")
    assert response.status_code == 202
    wait_until(lambda: bool(deliveries(client, made)[0]["attempts"]))
    (found,) = deliveries(client, made)
    assert found["message_id"] == response.json()["message_id"] == receiver.got[0].id
    assert (found["event"], found["state"], found["delivered_at"]) == ("webhook.test", "waiting", None)
    assert [(each["outcome"], each["status"]) for each in found["attempts"]] == [("rejected", 500)]
    assert receiver.got[0].verified(made["secret"])["data"] == {"webhook_id": made["id"]}


def test_rotating_and_replaying(client: TestClient, receiver: Receiver) -> None:
    made = make(client, receiver.url)
    message_id = client.post(f"{PATH}/{made['id']}/test").json()["message_id"]
    wait_until(lambda: delivered(client, made, 1))
    rotated = client.post(f"{PATH}/{made['id']}/rotate-secret", params={"overlap_hours": 2}).json()
    until = datetime.fromisoformat(rotated["former_secrets_until"])
    assert timedelta(hours=1.9) < until - datetime.now(UTC) < timedelta(hours=2.1)
    assert rotated["secret"] != made["secret"]
    assert client.post(f"{PATH}/{made['id']}/replay", json={"message_id": message_id}).json() == {"messages": 1}
    wait_until(lambda: len(receiver.got) == 2 and delivered(client, made, 1))
    assert receiver.got[0].id == receiver.got[1].id == message_id
    for secret in (made["secret"], rotated["secret"]):
        receiver.got[1].verified(secret)
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    replay = f"{PATH}/{made['id']}/replay"
    assert client.post(replay, json={"since": since}).json() == {"messages": 0}
    assert client.post(replay, json={"since": since, "include_delivered": True}).json() == {"messages": 1}
    for body in (
        {},
        {"since": since, "message_id": message_id},
        {"since": "2026-11-22T00:00:00"},
        {"message_id": "x"},
        FAR,
    ):
        assert client.post(replay, json=body).status_code == 422, body
    assert client.post(f"{PATH}/{made['id']}/rotate-secret", params={"overlap_hours": 169}).status_code == 422


def test_changing(client: TestClient) -> None:
    made = make(client)
    changed = client.patch(f"{PATH}/{made['id']}", json={"enabled": False, "events": ["batch.failed"]}).json()
    assert (changed["state"], changed["enabled"], changed["events"]) == ("disabled", False, ["batch.failed"])
    assert changed["url"] == URL
    changed = client.patch(f"{PATH}/{made['id']}", json={"enabled": True, "url": "https://OTHER.example.com"}).json()
    assert (changed["state"], changed["url"]) == ("active", "https://other.example.com/")
    assert client.patch(f"{PATH}/{made['id']}", json={"url": "https://127.1/"}).status_code == 422
    assert client.delete(f"{PATH}/{made['id']}").status_code == 204
    assert client.get(f"{PATH}/{made['id']}").status_code == 404
    assert make(client, enabled=False)["state"] == "disabled"


def test_pages_of_deliveries(client: TestClient) -> None:
    made = make(client, enabled=False)
    ids = [client.post(f"{PATH}/{made['id']}/test").json()["message_id"] for _ in range(5)]
    first = client.get(f"{PATH}/{made['id']}/deliveries", params={"limit": 3}).json()
    assert [each["message_id"] for each in first["deliveries"]] == ids[:1:-1]
    rest = client.get(f"{PATH}/{made['id']}/deliveries", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [each["message_id"] for each in rest["deliveries"]] == ids[1::-1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("body", "pointer", "says"),
    [
        ({"url": URL}, "/events", "required"),
        ({"url": URL, "events": []}, "/events", ""),
        ({"url": URL, "events": ["marmalade"]}, "/events/0", "batch.completed"),
        ({"url": URL, "events": ["batch.failed"] * 2}, "/events", "twice"),
        ({"url": 7, "events": ["batch.failed"]}, "/url", "string"),
        ({"url": URL, "events": ["batch.failed"], "marmalade": 1}, "", "known here: url, events, enabled"),
        ({"url": "https://localhost./marmalade", "events": ["batch.failed"]}, None, "not a public one"),
        ({"url": "http://hooks.example.com/marmalade", "events": ["batch.failed"]}, None, "only https"),
        ({"url": "https://marmalade:x@hooks.example.com/", "events": ["batch.failed"]}, None, "password"),
    ],
)
def test_what_cannot_be_made(client: TestClient, body: dict[str, Any], pointer: str | None, says: str) -> None:
    response = client.post(PATH, json=body)
    assert response.status_code == 422
    problem = response.json()
    assert "marmalade" not in response.text
    if pointer is None:
        assert problem["code"] == "invalid_webhook"
        assert says in problem["detail"]
    else:
        assert problem["errors"][0]["pointer"] == pointer
        assert says in problem["errors"][0]["detail"]
    assert client.get(PATH).json() == {"webhooks": []}


def test_there_are_so_many_and_no_more(client: TestClient) -> None:
    for _ in range(20):
        make(client)
    response = client.post(PATH, json={"url": URL, "events": ["batch.failed"]})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_webhook")


OF_ONE = [
    ("GET", "", None),
    ("PATCH", "", {"enabled": False}),
    ("POST", "/rotate-secret", None),
    ("POST", "/replay", {"since": "2026-11-22T00:00:00Z"}),
    ("POST", "/test", None),
    ("GET", "/deliveries", None),
    ("DELETE", "", None),
]


@pytest.mark.parametrize("id_", ["wh_" + "0" * 24, "x", "%00", "wh_%C3%BC"])
def test_what_was_never_made_is_not_found(client: TestClient, tmp_path: Path, id_: str) -> None:
    for method, path, body in OF_ONE:
        response = client.request(method, f"{PATH}/{id_}{path}", json=body)
        assert response.status_code == 404, (method, path, response.text)
    assert not (tmp_path / "softsell.db").exists()


def test_tenants_are_apart_and_only_admin_may(tmp_path: Path) -> None:
    with keyed_client(tmp_path) as keyed:
        ours, theirs = bearer(keyed.new(Scope.ADMIN)), bearer(keyed.new(Scope.ADMIN, tenant="other"))
        made = keyed.client.post(PATH, json={"url": URL, "events": ["batch.failed"]}, headers=ours).json()
        for method, path, body in OF_ONE:
            response = keyed.client.request(method, f"{PATH}/{made['id']}{path}", json=body, headers=theirs)
            assert response.status_code == 404, (method, path)
        assert keyed.client.get(PATH, headers=theirs).json() == {"webhooks": []}
        assert len(keyed.client.get(PATH, headers=ours).json()["webhooks"]) == 1
        others = bearer(keyed.new(*(scope for scope in Scope if scope is not Scope.ADMIN)))
        assert keyed.client.get(PATH, headers=others).status_code == 403
        for method, path, body in OF_ONE:
            response = keyed.client.request(method, f"{PATH}/{made['id']}{path}", json=body, headers=others)
            assert response.status_code == 403, (method, path)
        for method, path, body in OF_ONE:
            response = keyed.client.request(method, f"{PATH}/{made['id']}{path}", json=body, headers=ours)
            assert response.is_success, (method, path, response.text)


def test_what_waits_is_sent_after_a_restart(receiver: Receiver, tmp_path: Path) -> None:
    settings = Settings(engine="stub", data_dir=tmp_path, allowed_webhook_hosts=frozenset({receiver.host}))
    with open_client(settings) as client:
        made = make(client, receiver.url, enabled=False)
        client.post(f"{PATH}/{made['id']}/test")
    with open_client(settings) as client:
        assert receiver.got == []
        client.patch(f"{PATH}/{made['id']}", json={"enabled": True})
        wait_until(lambda: delivered(client, made, 1))
    receiver.got[0].verified(made["secret"])


def test_the_page_names_what_there_is() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    for name in (*Event, "SOFTSELL_WEBHOOK_KEY", "SOFTSELL_ALLOWED_WEBHOOK_HOSTS", "softsell_webhook_attempts_total"):
        assert f"{name}" in page


def test_the_example_receives(tmp_path: Path) -> None:
    with receiving() as free:
        host = free.host
    port = int(host.rpartition(":")[2])
    with open_client(Settings(engine="stub", data_dir=tmp_path, allowed_webhook_hosts=frozenset({host}))) as client:
        made = make(client, f"http://{host}/")
        example = subprocess.Popen(
            [sys.executable, "examples/webhook_receiver.py", str(port)],
            cwd=ROOT,
            env={**os.environ, "SOFTSELL_WEBHOOK_SECRET": made["secret"]},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            wait_until(lambda: _listens(port))
            message_id = client.post(f"{PATH}/{made['id']}/test").json()["message_id"]
            wait_until(lambda: delivered(client, made, 1))
            client.post(f"{PATH}/{made['id']}/replay", json={"message_id": message_id})
            wait_until(lambda: len(deliveries(client, made)[0]["attempts"]) == 2)
            assert delivered(client, made, 1)
            # Signed with what is not its secret any longer.
            client.post(f"{PATH}/{made['id']}/rotate-secret", params={"overlap_hours": 0})
            client.post(f"{PATH}/{made['id']}/test")
            wait_until(lambda: bool(deliveries(client, made)[0]["attempts"]))
            assert deliveries(client, made)[0]["attempts"][0]["status"] == 401
        finally:
            example.terminate()
            printed, _ = example.communicate(timeout=10)
    # Once, though it came twice.
    assert printed.splitlines() == [f"webhook.test {{'webhook_id': '{made['id']}'}}"]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

"""Who is let in, to what, and for how long; and that a key is never told to anybody."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import WebSocketDenialResponse
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.api.access import scopes
from app.api.access.keyring import REFRESH_S, STALE_S, Keyring
from app.api.access.keys import KeyGuard
from app.api.access.tenant import caller_of
from app.api.access.tickets import PREFIX, PROTOCOL, TICKET_S, Tickets
from app.api.app import create_app
from app.api.keeping import Keeper
from app.core.errors import StoreUnavailable
from app.observe import JsonLines, Metrics
from app.settings import Settings
from app.store.keys import KeyLimits, Keys, NewKey, Scope
from tests.commands import start
from tests.keyed import Keyed, bearer, keyed_client
from tests.serving import Served, conversation, wait_until

UNKNOWN = "ssk_0123456789_" + "0" * 48
# Where a server listens on all addresses.
EVERYWHERE = ".".join("0000")
OPEN = ("/livez", "/readyz", "/docs", "/openapi.json")


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    with keyed_client(tmp_path_factory.mktemp("keys")) as opened:
        yield opened


def status(keyed: Keyed, new: NewKey, path: str = "/v1/labels") -> int:
    return keyed.client.get(path, headers=bearer(new)).status_code


def routes(application: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of every route, those of WebSockets included."""
    waiting: list[Any] = list(application.routes)
    while waiting:
        route = waiting.pop()
        if hasattr(route, "original_router"):
            waiting += route.original_router.routes
            continue
        for method in sorted(getattr(route, "methods", None) or {"GET"}):
            yield method, route.path


def test_every_route_is_in_the_table_of_scopes() -> None:
    found = sorted(set(routes(create_app(Settings(engine="stub")))))
    assert {"/v1/score", "/v1/conversations/{conversation_id:path}", "/metrics", "/docs"} <= {path for _, path in found}
    forgotten = [(method, path) for method, path in found if scopes.line_of(method, path) not in scopes.TABLE]
    assert forgotten == []
    assert scopes.scopes_of("GET", "/v1/forgotten") == {Scope.ADMIN}


@pytest.mark.parametrize("path", OPEN)
def test_health_and_documentation_are_open(keyed: Keyed, path: str) -> None:
    assert keyed.client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, False),
        ({"Authorization": "Basic c29mdHNlbGw6eA=="}, False),
        ({"Authorization": "Bearer "}, False),
        ({"Authorization": "Bearer marmalade"}, True),
        ({"Authorization": f"Bearer {UNKNOWN}"}, True),
        ({"X-API-Key": UNKNOWN}, True),
        ({"X-API-Key": "\xe9" * 10}, True),
        ({"X-API-Key": "x" * 10_000}, True),
    ],
)
def test_without_a_valid_key_nobody_is_served(keyed: Keyed, headers: dict[str, str], error: bool) -> None:
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    response = keyed.client.post("/v1/score", content=b"{", headers=sent)
    assert (response.status_code, response.json()["code"]) == (401, "key_refused")
    challenge = response.headers["WWW-Authenticate"]
    assert challenge == 'Bearer realm="softsell"' + (', error="invalid_token"' if error else "")
    assert response.headers["X-Request-ID"] == response.json()["request_id"]
    for value in headers.values():
        credentials = value.split(" ")[-1]
        assert not credentials or credentials not in response.text


def test_a_key_in_the_address_is_no_key(keyed: Keyed) -> None:
    new = keyed.new()
    for name in ("api_key", "key", "access_token", "token"):
        assert keyed.client.get("/v1/labels", params={name: new.secret}).status_code == 401


def test_a_key_comes_in_either_header(keyed: Keyed) -> None:
    new = keyed.new()
    for headers in (
        {"Authorization": f"Bearer {new.secret}"},
        {"Authorization": f"bearer  {new.secret}"},
        {"X-API-Key": new.secret},
    ):
        assert keyed.client.get("/v1/labels", headers=headers).status_code == 200


def test_nearly_a_key_is_none(keyed: Keyed) -> None:
    new = keyed.new()
    for wrong in (new.secret[:-1], new.secret + "0", new.secret.upper(), new.key.id):
        assert keyed.client.get("/v1/labels", headers={"X-API-Key": wrong}).status_code == 401
    last = "0" if new.secret[-1] != "0" else "1"
    assert keyed.client.get("/v1/labels", headers={"X-API-Key": new.secret[:-1] + last}).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("POST", "/v1/score", Scope.SCORE),
        ("POST", "/v1/transcripts/parse", Scope.SCORE),
        ("POST", "/v1/stream/tickets", Scope.SCORE),
        ("POST", "/v1/batches", Scope.BATCH),
        ("GET", "/v1/conversations?agent_id=a", Scope.READ),
        ("GET", "/v1/conversations/a/b", Scope.READ),
        ("GET", "/v1/export?agent_id=a", Scope.READ),
        ("DELETE", "/v1/conversations/a/b", Scope.ADMIN),
        ("GET", "/metrics", Scope.METRICS),
        ("PUT", "/v1/labels", Scope.ADMIN),
        ("GET", "/v1/nothing", Scope.ADMIN),
        ("POST", "/v1/scores", Scope.ADMIN),
    ],
)
def test_each_scope_allows_its_own_and_nothing_else(keyed: Keyed, method: str, path: str, wanted: Scope) -> None:
    without = keyed.client.request(method, path, headers=bearer(keyed.new(*(set(Scope) - {wanted}))), content=b"{")
    assert (without.status_code, without.json()["code"]) == (403, "scope_missing")
    assert without.headers["WWW-Authenticate"].endswith(f'error="insufficient_scope", scope="{wanted}"')
    within = keyed.client.request(method, path, headers=bearer(keyed.new(wanted)), content=b"{")
    assert within.status_code not in (401, 403)


@pytest.mark.parametrize("scope", list(Scope))
def test_whoever_has_a_key_may_read_what_is_the_same_for_all(keyed: Keyed, scope: Scope) -> None:
    new = keyed.new(scope)
    assert status(keyed, new, "/v1/labels") == status(keyed, new, "/v1/model") == 200


@pytest.mark.parametrize("allowed", [False, True])
def test_a_refusal_comes_before_the_body_is_read(keyed: Keyed, allowed: bool) -> None:
    """Also to whoever has a key, without the scope."""
    answers: list[int] = []
    sent = [(b"x-api-key", keyed.new(Scope.READ).secret.encode())] if allowed else []

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        answers.append(message.get("status", 0))

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/score",
        "query_string": b"",
        "headers": [(b"content-length", b"100"), *sent],
    }
    assert keyed.client.portal is not None
    keyed.client.portal.call(keyed.client.app, scope, receive, send)  # type: ignore[arg-type]
    assert answers[0] == (403 if allowed else 401)


def test_another_tenants_ids_are_not_found(keyed: Keyed) -> None:
    """Every address with an id in it, and every list."""
    owner, other = keyed.new(tenant="acme"), keyed.new(tenant="globex")
    metadata = {"agent_id": "a-1", "customer_id": "k-1"}
    body = conversation(("agent", "Approval is guaranteed."), id="c-1", metadata=metadata) | {
        "options": {"store": True}
    }
    assert keyed.client.post("/v1/score", json=body, headers=bearer(owner)).status_code == 200
    ids = {"conversation_id": "c-1"}
    said = {"turns": [{"id": "1", "role": "agent", "text": "Hello."}]}
    appended = keyed.client.post("/v1/conversations/c-1/turns", json=said, headers=bearer(owner))
    assert appended.status_code == 200, appended.text
    batch = keyed.client.post(
        "/v1/batches",
        content=json.dumps({"custom_id": "i-1", **conversation(("agent", "Hello."))}) + "\n",
        headers={**bearer(owner), "Content-Type": "application/jsonl"},
    )
    ids["batch_id"] = batch.json()["id"]
    wanted = {"url": "https://hooks.example.com/softsell", "events": ["conversation.scored"], "enabled": False}
    ids["webhook_id"] = keyed.client.post("/v1/webhooks", json=wanted, headers=bearer(owner)).json()["id"]
    bodies = {"changeWebhook": {"enabled": True}, "replayWebhook": {"message_id": f"msg_{'0' * 32}"}}
    asked: list[tuple[str, str]] = []
    for path, operations in keyed.client.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            named = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"]
            # Whoever adds an address with another id says here how the owner gets one.
            assert set(named) <= set(ids), path
            # Turns that are added to another tenant's id begin a conversation of one's own.
            if named and operation["operationId"] != "appendTurns":
                address = path.format(**ids)
                sent = bodies.get(operation["operationId"])
                found = keyed.client.request(method, address, json=sent, headers=bearer(other))
                assert (method, path, found.status_code) == (method, path, 404)
                asked.append((method, path))
    assert len(asked) >= 10
    assert keyed.client.get("/v1/batches", headers=bearer(other)).json()["batches"] == []
    assert keyed.client.get("/v1/webhooks", headers=bearer(other)).json()["webhooks"] == []
    for query in ("agent_id=a-1", "customer_id=k-1"):
        listed = keyed.client.get(f"/v1/conversations?{query}", headers=bearer(other)).json()
        assert listed == {"conversations": [], "next_cursor": None}
        assert keyed.client.get(f"/v1/export?{query}", headers=bearer(other)).text == ""
    assert keyed.client.get("/v1/conversations/c-1", headers=bearer(owner)).status_code == 200
    same_tenant = keyed.new(Scope.READ, tenant="acme")
    assert keyed.client.get("/v1/conversations/c-1", headers=bearer(same_tenant)).status_code == 200


def test_scores_are_remembered_for_one_key(keyed: Keyed, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    runtime = keyed.client.app.state.runtime  # type: ignore[attr-defined]
    score = runtime.score

    async def noting(*args: Any, scope: str, **kwargs: Any) -> Any:
        seen.append(scope)
        return await score(*args, scope=scope, **kwargs)

    monkeypatch.setattr(runtime, "score", noting)
    one, other = keyed.new(), keyed.new()
    for new in (one, other):
        assert keyed.client.post("/v1/score", json=conversation(("agent", "Hi.")), headers=bearer(new)).is_success
    assert seen == [f"acme/{one.key.id}", f"acme/{other.key.id}"]


def test_an_expired_key_ends_at_its_time(keyed: Keyed) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=1)
    new = keyed.taken(keyed.keys.create("short", "acme", [Scope.READ], expires_at=ends))
    assert status(keyed, new) == 200
    wait_until(lambda: datetime.now(UTC) >= ends)
    assert status(keyed, new) == 401


def test_a_revoked_key_ends_within_seconds(keyed: Keyed) -> None:
    new = keyed.new()
    assert status(keyed, new) == 200
    keyed.keys.revoke(new.key.id)
    began = time.monotonic()
    wait_until(lambda: status(keyed, new) == 401)
    assert time.monotonic() - began < REFRESH_S + 1.5


def test_a_rotated_key_works_until_its_overlap_ends(keyed: Keyed) -> None:
    old, short = keyed.new(), keyed.new()
    new = keyed.taken(keyed.keys.rotate(old.key.id, timedelta(hours=1)))
    assert status(keyed, old) == status(keyed, new) == 200
    after = keyed.keys.rotate(short.key.id, timedelta(seconds=0.2))
    wait_until(lambda: status(keyed, short) == 401, REFRESH_S + 2)
    assert status(keyed, keyed.taken(after)) == 200


def test_a_new_key_works_at_once(keyed: Keyed) -> None:
    """It is not waited for, as `Keyed.new` does."""
    # The keys were not just read for another unknown key.
    time.sleep(0.6)
    new = keyed.keys.create("fresh", "acme", [Scope.READ])
    assert status(keyed, new) == 200


def reads(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    known = Keys.known

    def noting(self: Keys) -> Any:
        found.append(time.monotonic())
        return known(self)

    monkeypatch.setattr(Keys, "known", noting)
    return found


def test_neither_requests_nor_unknown_keys_cost_reads_of_the_store(
    keyed: Keyed, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = keyed.new()
    found = reads(monkeypatch)
    began = time.monotonic()
    for number in range(60):
        assert status(keyed, new) == 200
        unknown = {"X-API-Key": f"ssk_{number:010x}_" + "0" * 48}
        assert keyed.client.get("/v1/labels", headers=unknown).status_code == 401
    assert len(found) <= 2 + (time.monotonic() - began) / 0.5


def test_while_the_store_fails_known_keys_work_for_a_minute(keyed: Keyed, monkeypatch: pytest.MonkeyPatch) -> None:
    new = keyed.new()

    def broken(self: Keys) -> Any:
        raise StoreUnavailable("the store is locked", "locked")

    monkeypatch.setattr(Keys, "known", broken)
    assert status(keyed, new) == 200
    monkeypatch.setattr(keyed.keyring, "_read_at", time.monotonic() - STALE_S)
    response = keyed.client.get("/v1/labels", headers=bearer(new))
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    monkeypatch.undo()
    wait_until(lambda: status(keyed, new) == 200)


def test_use_is_counted_and_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[int] = []
    add = Keys.add

    def noting(self: Keys, used: Any) -> None:
        used = list(used)
        added.append(len(used))
        if len(added) == 1:
            raise StoreUnavailable("the store is locked", "locked")
        add(self, used)

    monkeypatch.setattr(Keys, "add", noting)
    monkeypatch.setattr("app.api.access.keyring.FLUSH_EVERY_S", 0.5)
    began = time.monotonic()
    with keyed_client(tmp_path) as keyed:
        new = keyed.new()
        body = conversation(("agent", "Hello."), ("customer", "Hi."), ("agent", "Well."))
        for _ in range(4):
            assert keyed.client.post("/v1/score", json=body, headers=bearer(new)).status_code == 200
        wait_until(lambda: bool(added))
        assert status(keyed, new) == 200
    (listed,) = keyed.keys.listed()
    assert (listed.requests, listed.turns, listed.requests_today) == (5, 12, 5)
    assert listed.key.last_used_at is not None
    assert datetime.now(UTC) - listed.key.last_used_at < timedelta(minutes=1)
    assert 2 <= len(added) <= 2 + (time.monotonic() - began) / 0.5


def test_a_key_is_told_to_nobody(keyed: Keyed) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    # The test's own client writes down what it asks for.
    handler.addFilter(lambda record: not record.name.startswith("http"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    new = keyed.new(limits=KeyLimits(requests_per_minute=8))
    wrong = new.secret[:-4] + "beef"
    told: list[str] = []
    try:
        for headers in (bearer(new), {"X-API-Key": wrong}, {"Authorization": f"Basic {new.secret}"}):
            for method, path in (
                ("GET", f"/v1/labels?key={new.secret}"),
                ("POST", "/v1/score"),
                ("GET", f"/v1/conversations/{new.secret}"),
                ("GET", "/metrics"),
            ):
                response = keyed.client.request(method, path, headers=headers, content=b"{")
                told += [response.text, str(response.headers)]
        for _ in range(8):
            response = keyed.client.get("/v1/labels", headers=bearer(new))
            told += [response.text, str(response.headers)]
        assert response.status_code == 429
        keyed.keyring._read_at -= STALE_S
        keyed.client.get("/v1/labels", headers=bearer(new))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    log = stream.getvalue()
    assert f'"key": "{new.key.id}"' in log
    for text in (log, *told, repr(keyed.keyring._known)):
        assert new.secret[15:] not in text
        assert wrong[15:] not in text
        assert new.key.hash not in text


# WebSockets


async def _echo(websocket: WebSocket) -> None:
    await websocket.accept()
    caller = caller_of(websocket)
    await websocket.send_json([caller.tenant, caller.key_id, list(websocket.scope["subprotocols"])])
    await websocket.close()


@pytest.fixture
def streamed(tmp_path: Path) -> Iterator[tuple[TestClient, Tickets, Callable[..., NewKey]]]:
    """A stream behind the guard, its tickets, and what makes keys for it."""
    settings = Settings(engine="stub", data_dir=tmp_path)
    keeper = Keeper(settings, Metrics())
    keys = Keys(keeper.database)
    keyring, tickets = Keyring(keys, keeper), Tickets()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        keyring.start()
        yield
        await keyring.close()
        await keeper.close()

    made = keys.create("stream", "acme", [Scope.SCORE])
    reader = keys.create("reader", "acme", [Scope.READ])
    application = Starlette(routes=[WebSocketRoute("/v1/stream", _echo)], lifespan=lifespan)
    application.add_middleware(KeyGuard, keyring=keyring, tickets=tickets)
    with TestClient(application) as client:
        wait_until(lambda: made.key.id in keyring._known)
        yield client, tickets, lambda *, allowed=True: made if allowed else reader


def refused(client: TestClient, **connecting: Any) -> tuple[int, str]:
    with pytest.raises(WebSocketDenialResponse) as refusal, client.websocket_connect("/v1/stream", **connecting):
        pass
    return refusal.value.status_code, refusal.value.json()["code"]


def test_a_stream_is_opened_with_a_key_in_a_header(streamed: Any) -> None:
    client, _, key = streamed
    with client.websocket_connect("/v1/stream", headers=bearer(key())) as stream:
        assert stream.receive_json() == ["acme", key().key.id, []]
    assert refused(client) == (401, "key_refused")
    assert refused(client, headers={"X-API-Key": UNKNOWN}) == (401, "key_refused")
    assert refused(client, headers=bearer(key(allowed=False))) == (403, "scope_missing")
    in_address = f"/v1/stream?key={key().secret}"
    with pytest.raises(WebSocketDenialResponse), client.websocket_connect(in_address):
        pass


def test_a_ticket_opens_one_stream_and_goes_no_further(streamed: Any) -> None:
    client, tickets, key = streamed
    ticket = tickets.issue(key().key.id)
    with client.websocket_connect("/v1/stream", subprotocols=[PROTOCOL, ticket]) as stream:
        assert stream.accepted_subprotocol == PROTOCOL
        assert stream.receive_json() == ["acme", key().key.id, [PROTOCOL]]
    assert refused(client, subprotocols=[PROTOCOL, ticket]) == (401, "key_refused")
    assert refused(client, subprotocols=[PROTOCOL, f"{PREFIX}{key().key.id}.{'0' * 64}"]) == (401, "key_refused")
    of_reader = tickets.issue(key(allowed=False).key.id)
    assert refused(client, subprotocols=[PROTOCOL, of_reader]) == (403, "scope_missing")
    # A whole key is no ticket: pages do not hold keys.
    assert refused(client, subprotocols=[PROTOCOL, key().secret]) == (401, "key_refused")


def test_a_server_that_cannot_answer_closes(streamed: Any) -> None:
    client, _, _ = streamed
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/v1/stream", "headers": [], "subprotocols": []}
    client.portal.call(client.app, scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "key_refused"}]


def test_tickets_end_and_are_few() -> None:
    now = 0.0
    tickets = Tickets(lambda: now)
    old = tickets.issue("ssk_a")
    now = TICKET_S
    assert tickets.redeem(old) is None
    for ticket in [tickets.issue("ssk_a") for _ in range(64)][:1]:
        with pytest.raises(Exception, match="64 tickets"):
            tickets.issue("ssk_a")
        assert tickets.redeem(ticket) == "ssk_a"
        assert tickets.redeem(ticket) is None
    assert tickets.issue("ssk_a") != tickets.issue("ssk_b")


def test_a_ticket_is_asked_for_with_a_key(keyed: Keyed) -> None:
    new = keyed.new(Scope.SCORE)
    answer = keyed.client.post("/v1/stream/tickets", headers=bearer(new)).json()
    assert answer["expires_in_s"] == TICKET_S
    tickets = keyed.client.app.state.runtime.tickets  # type: ignore[attr-defined]
    assert tickets.redeem(answer["ticket"]) == new.key.id


def test_without_keys_a_ticket_is_given_and_taken_all_the_same(client: TestClient) -> None:
    ticket = client.post("/v1/stream/tickets").json()["ticket"]
    assert ticket.startswith(PREFIX)
    application = Starlette(routes=[WebSocketRoute("/v1/stream", _echo)])
    application.add_middleware(KeyGuard, keyring=None, tickets=Tickets())
    with TestClient(application).websocket_connect("/v1/stream", subprotocols=[PROTOCOL, ticket]) as stream:
        assert stream.receive_json() == ["local", None, [PROTOCOL]]
        with pytest.raises(WebSocketDisconnect):
            stream.receive_json()


# Starting


@pytest.mark.parametrize(
    ("host", "auth", "required"),
    [
        ("127.0.0.1", "auto", False),
        ("127.0.0.9", "auto", False),
        ("::1", "auto", False),
        ("localhost", "auto", False),
        (EVERYWHERE, "auto", True),
        ("::", "auto", True),
        ("", "auto", True),
        ("10.0.0.1", "auto", True),
        ("softsell.internal", "auto", True),
        ("127.0.0.1", "keys", True),
        (EVERYWHERE, "none", False),
    ],
)
def test_keys_are_asked_for_beyond_loopback(host: str, auth: Any, required: bool) -> None:
    assert Settings(host=host, auth=auth).keys_required is required


def test_nothing_listens_beyond_loopback_without_a_key(tmp_path: Path) -> None:
    arguments = ["serve", "--host", EVERYWHERE, "--port", "0", "--engine", "stub"]
    environment = {"SOFTSELL_DATA_DIR": str(tmp_path / "data"), "PATH": ""}
    process = start(arguments, env=environment, stdout=-1, stderr=-1)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"callers need a key" in out
    last = err.decode().splitlines()[-1]
    assert last.startswith("softsell: on 0.0.0.0, which is not loopback, callers need a key")
    for way in ("softsell keys create NAME", "127.0.0.1", "--no-auth", "SOFTSELL_AUTH=none"):
        assert way in last
    assert not (tmp_path / "data").exists()


def test_with_a_key_it_starts_and_says_so(tmp_path: Path, serve: Callable[..., Served]) -> None:
    settings = Settings(engine="stub", data_dir=tmp_path)
    keys = Keys(Keeper(settings, Metrics()).database)
    new = keys.create("crm", "acme", [Scope.SCORE])
    keys.database.close()
    server = serve(SOFTSELL_DATA_DIR=str(tmp_path), SOFTSELL_AUTH="keys")
    server.wait_ready()
    assert server.get("/v1/labels").startswith(b"HTTP/1.1 401 ")
    allowed = server.ask(
        f"GET /v1/labels HTTP/1.1\r\nHost: x\r\nX-API-Key: {new.secret}\r\nConnection: close\r\n\r\n".encode()
    )
    assert allowed.startswith(b"HTTP/1.1 200 ")
    server.terminate()
    assert server.ended(30) == 0
    assert "callers need a key" in [line["message"] for line in server.log]
    assert new.secret[15:] not in json.dumps(server.log)
    (listed,) = keys.listed()
    assert listed.requests == 1
    keys.database.close()


def test_without_keys_it_says_so(serve: Callable[..., Served]) -> None:
    server = serve()
    assert server.get("/v1/labels").startswith(b"HTTP/1.1 200 ")
    assert "callers need no key" in [line["message"] for line in server.log]

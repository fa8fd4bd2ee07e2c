"""Every refusal is a problem document that names the place and never repeats what was sent."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.routing import Route

from app.api import problems
from app.api.problems import TABLE, of_error
from app.core import errors
from app.core.errors import Overloaded, SoftsellError
from app.engine.limits import Limits
from app.settings import Settings
from tests.serving import JSON, Opened, conversation

HELLO = {"role": "agent", "text": "hello"}


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert list(found) == ["type", "title", "status", "code", "detail", "request_id", "errors"]
    assert found["type"] == f"urn:softsell:problem:{code}"
    assert (found["status"], found["code"]) == (status, code)
    assert found["title"]
    assert found["detail"]
    assert found["request_id"] == response.headers["x-request-id"]
    return found


def turn(**fields: Any) -> dict[str, Any]:
    return {"conversation": {"turns": [HELLO, {**HELLO, **fields}]}}


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        (turn(text=5), "/conversation/turns/1/text", "send a string"),
        (turn(text=None), "/conversation/turns/1/text", "send a string"),
        (turn(text=""), "/conversation/turns/1/text", "at least 1 character"),
        (turn(text=" \n\t\u2003"), "/conversation/turns/1/text", "no visible character"),
        (turn(role="boss"), "/conversation/turns/1/role", "'agent', 'customer', 'bot', 'system' or 'unknown'"),
        (turn(role=1), "/conversation/turns/1/role", "'agent'"),
        (turn(id=7), "/conversation/turns/1/id", "send a string"),
        (turn(id=""), "/conversation/turns/1/id", "at least 1 character"),
        (turn(start_ms=-1), "/conversation/turns/1/start_ms", "greater than or equal to 0"),
        (turn(start_ms=1.0), "/conversation/turns/1/start_ms", "send an integer"),
        (turn(start_ms="1"), "/conversation/turns/1/start_ms", "send an integer"),
        (turn(start_ms=True), "/conversation/turns/1/start_ms", "send an integer"),
        (turn(end_ms=10**30), "/conversation/turns/1/end_ms", "less than or equal to"),
        (turn(start_ms=2, end_ms=1), "/conversation/turns/1", "end_ms is before start_ms"),
        (turn(speaker=[]), "/conversation/turns/1/speaker", "send a string"),
        (turn(txt="x"), "/conversation/turns/1", "unknown field; did you mean `text`?"),
        ({"conversation": {"turns": [{"text": "x"}]}}, "/conversation/turns/0/role", "required"),
        ({"conversation": {"turns": [{"role": "agent"}]}}, "/conversation/turns/0/text", "required"),
        ({"conversation": {"turns": []}}, "/conversation/turns", "at least 1 item"),
        ({"conversation": {"turns": {}}}, "/conversation/turns", "send an array"),
        ({"conversation": {"turns": [7]}}, "/conversation/turns/0", "send an object"),
        ({"conversation": {}}, "/conversation/turns", "required"),
        ({"conversation": []}, "/conversation", "send an object"),
        ({}, "", "send either `conversation` or `transcript`"),
        ([], "", "send an object"),
        (7, "", "send an object"),
        ({"conversation": {"turns": [HELLO], "channel": "fax"}}, "/conversation/channel", "'voice' or 'chat'"),
        ({"conversation": {"turns": [HELLO], "metadata": []}}, "/conversation/metadata", "send an object"),
        ({"conversation": {"turns": [HELLO], "metadata": {"a": 1}}}, "/conversation/metadata", "send a string"),
        ({"conversation": {"turns": [HELLO]}, "options": {"evidence": 1}}, "/options/evidence", "true or false"),
        (
            {"conversation": {"turns": [HELLO]}, "options": {"all": True}},
            "/options",
            "unknown field; known here: evidence, turns",
        ),
        ({"conversation": {"turns": [HELLO]}, "conversations": 1}, "", "unknown field; did you mean `conversation`?"),
    ],
)
def test_an_invalid_field_is_pointed_at(client: TestClient, body: Any, pointer: str, detail: str) -> None:
    found = problem(client.post("/v1/score", json=body), 422, "invalid_request")
    assert len(found["errors"]) == 1, found["errors"]
    assert found["errors"][0]["pointer"] == pointer
    assert detail in found["errors"][0]["detail"]


def test_equal_ids_are_named_by_place(client: TestClient) -> None:
    body = {"conversation": {"turns": [{**HELLO, "id": "secret"}, HELLO, {**HELLO, "id": "secret"}]}}
    found = problem(client.post("/v1/score", json=body), 422, "invalid_request")
    assert found["errors"] == [
        {"pointer": "/conversation/turns", "detail": "turns 0 and 2 have the same id; ids are unique"}
    ]


def test_a_turn_of_invisible_characters_is_refused(client: TestClient) -> None:
    body = conversation(("agent", "hello"), ("customer", "\u200b\u202e\u00ad\u0000"))
    found = problem(client.post("/v1/score", json=body), 422, "invalid_conversation")
    assert "turn 1 has no visible character" in found["detail"]


def test_at_most_twenty_errors_are_listed(client: TestClient) -> None:
    body = {"conversation": {"turns": [{"role": "x", "text": 1}] * 500}}
    response = client.post("/v1/score", json=body)
    found = problem(response, 422, "invalid_request")
    assert len(found["errors"]) == 20
    assert "20 of 1000" in found["detail"]
    assert len(response.content) < 4096


@pytest.mark.parametrize(
    "name",
    ["Margaret", "zebrafish", "Mrs Smith, card 4111 1111 1111 1111", "x" * 41, "text" * 50_000, "\u200b", "é", ""],
)
@pytest.mark.parametrize(
    ("place", "known"),
    [
        ("", "conversation, transcript, format, roles, options"),
        ("/conversation", "id, channel, turns, metadata"),
        ("/conversation/turns/1", "id, role, text, start_ms, end_ms, speaker"),
        ("/options", "evidence, turns, redact, store, store_text"),
    ],
)
def test_an_unknown_field_is_never_named(client: TestClient, place: str, known: str, name: str) -> None:
    body: Any = {"conversation": {"turns": [HELLO, dict(HELLO)]}, "options": {}}
    inner = body
    for part in place.split("/")[1:]:
        inner = inner[int(part) if part.isdigit() else part]
    inner[name] = 1
    response = client.post("/v1/score", json=body)
    found = problem(response, 422, "invalid_request")
    assert found["errors"] == [{"pointer": place, "detail": f"unknown field; known here: {known}"}]
    assert not name or name not in response.text


@pytest.mark.parametrize("name", ["Margaret", "role"])
def test_a_name_in_metadata_is_never_pointed_at(client: TestClient, name: str) -> None:
    body = {"conversation": {"turns": [HELLO], "metadata": {name: 1}}}
    found = problem(client.post("/v1/score", json=body), 422, "invalid_request")
    assert found["errors"] == [{"pointer": "/conversation/metadata", "detail": "send a string"}]


LIMITS = Limits(
    max_turns=3,
    max_turn_characters=20,
    max_conversation_characters=30,
    max_id_characters=5,
    max_metadata_entries=2,
    max_body_bytes=2000,
)


@pytest.mark.parametrize(
    ("body", "pointer", "named"),
    [
        (conversation(*[("agent", "hello")] * 4), "/conversation/turns", "3"),
        (conversation(("agent", "x" * 21)), "/conversation/turns/0/text", "20"),
        (turn(id="123456"), "/conversation/turns/1/id", "5"),
        (turn(speaker="123456"), "/conversation/turns/1/speaker", "5"),
        (conversation(("agent", "x"), id="123456"), "/conversation/id", "5"),
        (conversation(("agent", "x"), metadata={"a": "123456"}), "/conversation/metadata", "5"),
        (conversation(("agent", "x"), metadata={"123456": "a"}), "/conversation/metadata", "5"),
        (conversation(("agent", "x"), metadata=dict.fromkeys("abc", "x")), "/conversation/metadata", "2"),
        (conversation(*[("agent", "w" * 16)] * 2), None, "30"),
    ],
)
def test_beyond_a_limit_of_this_server(opened: Opened, body: Any, pointer: str | None, named: str) -> None:
    with opened(Settings(engine="stub", limits=LIMITS)) as client:
        found = problem(client.post("/v1/score", json=body), 422, "limit_exceeded")
        if pointer is None:
            assert named in found["detail"]
        else:
            assert [error["pointer"] for error in found["errors"]] == [pointer]
            assert named in found["errors"][0]["detail"]


def test_bounds_are_in_the_document_of_the_server(opened: Opened) -> None:
    with opened(Settings(engine="stub", limits=LIMITS)) as client:
        parts = client.get("/openapi.json").json()["components"]["schemas"]
    assert parts["ConversationBody"]["properties"]["turns"]["maxItems"] == 3
    assert parts["ConversationBody"]["properties"]["metadata"]["maxProperties"] == 2
    assert "maxLength" not in parts["ConversationBody"]["properties"]["metadata"]
    assert parts["TurnBody"]["properties"]["text"]["maxLength"] == 20


def test_addresses_and_methods(client: TestClient) -> None:
    problem(client.get("/v1/secret-name"), 404, "not_found")
    refused = client.get("/v1/score")
    problem(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == "POST"
    assert "secret-name" not in client.get("/v1/secret-name?token=1").text


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-Type": "audio/wav"}, "unsupported_media_type"),
        ({"Content-Type": "text/plain; charset=latin-1"}, "unsupported_media_type"),
        ({"Content-Type": ""}, "unsupported_media_type"),
        ({"Content-Type": "application/json; charset=utf-16"}, "unsupported_media_type"),
        ({"Content-Type": "application/jsonx"}, "unsupported_media_type"),
        ({**JSON, "Content-Encoding": "gzip"}, "unsupported_encoding"),
        ({**JSON, "Content-Encoding": "br"}, "unsupported_encoding"),
        ({**JSON, "Content-Encoding": "identity, gzip"}, "unsupported_encoding"),
    ],
)
def test_kinds_of_body_that_are_not_read(client: TestClient, headers: dict[str, str], code: str) -> None:
    problem(client.post("/v1/score", content=b"{}", headers=headers), 415, code)


@pytest.mark.parametrize(
    "given", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_spellings_of_json_that_are_read(client: TestClient, good: Any, given: str) -> None:
    body = client.build_request("POST", "/", json=good).content
    headers = {"Content-Type": given, "Content-Encoding": "identity"}
    assert client.post("/v1/score", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("id_", ["a", "req-1.2_3", "A" * 64])
def test_a_short_token_is_kept_as_request_id(client: TestClient, id_: str) -> None:
    assert client.get("/livez", headers={"X-Request-ID": id_}).headers["x-request-id"] == id_


@pytest.mark.parametrize("id_", ["", "a b", "A" * 65, "x\ty", "<script>", "é".encode("latin-1")])
def test_anything_else_is_replaced(client: TestClient, id_: Any) -> None:
    made = client.get("/nope", headers={"X-Request-ID": id_}).headers["x-request-id"]
    assert len(made) == 32
    assert made.isalnum()


def test_every_error_of_the_core_has_its_row() -> None:
    own = {cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, SoftsellError)}
    assert own <= set(TABLE)
    for cls in own:
        error = cls("what to do", 7) if cls is Overloaded else cls("what to do")
        answer = of_error("id", error)
        assert answer.status_code == TABLE[cls].status
        assert error.code.encode() in bytes(answer.body)
        assert answer.headers.get("retry-after") == ({503: "7" if cls is Overloaded else "1"}.get(answer.status_code))
        # In the body too: some callers cannot read headers.
        told = json.loads(bytes(answer.body))
        assert str(told.get("retry_after_s")) == str(answer.headers.get("retry-after"))
        assert None not in told.values()


def test_an_unforeseen_exception_says_and_logs_nothing_of_the_request(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(request: Any) -> None:
        local = "canary in a local"
        raise KeyError(local)

    with opened() as client, caplog.at_level(logging.INFO):
        client.app.router.routes.append(Route("/broken", broken))  # type: ignore[attr-defined]
        found = problem(client.get("/broken"), 500, "internal_error")
        assert client.get("/livez").status_code == 200
    assert "canary" not in str(found)
    record = next(record for record in caplog.records if record.exc_info)
    from app.observe import JsonLines

    line = JsonLines().format(record)
    assert "canary" not in line
    assert '"KeyError"' in line
    assert "test_problems.py" in line
    assert found["request_id"] in line


def test_all_problems_declared_in_the_document_are_problems() -> None:
    declared = problems.declared(400, 503)
    assert set(declared) == {400, 503}
    assert set(declared[400]["content"]) == {"application/problem+json"}

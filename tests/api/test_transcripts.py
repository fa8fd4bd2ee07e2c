"""Other systems' transcripts over HTTP: read, and scored as they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

TEXT = b"Agent: You need this, sign today.\nCustomer: I want to think about it.\n"
LETTERS = b"A: You need this, sign today.\nB: I want to think.\nA: It is free.\nB: No.\n"
LINES = (
    b'{"turns": [{"role": "agent", "text": "One."}]}\n{"turns": 3}\n{"turns": [{"role": "agent", "text": "Two."}]}\n'
)


def parse(client: TestClient, content: bytes, query: str = "") -> dict[str, Any]:
    response = client.post(f"/v1/transcripts/parse{query}", content=content)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_text_is_read_and_every_role_accounted_for(client: TestClient) -> None:
    answer = parse(client, TEXT)
    assert answer["format"] == "plain_text"
    assert [(turn["index"], turn["role"], turn["source"]) for turn in answer["conversation"]["turns"]] == [
        (0, "agent", "line 1"),
        (1, "customer", "line 2"),
    ]
    assert answer["roles"]["Agent"] == {"role": "agent", "basis": "name", "confidence": None, "turns": 1}
    assert answer["conversations"] == answer["errors"] == answer["left_out"] == []


@pytest.mark.parametrize(
    "media_type", ["application/octet-stream", "text/plain", "audio/wav", "application/json", None]
)
def test_any_media_type_is_read(client: TestClient, media_type: str | None) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    assert client.post("/v1/transcripts/parse", content=TEXT, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "query", ["?roles=A=agent", "?roles=A%3Dagent,B%3Dcustomer", "?roles=A=agent&roles=B=customer"]
)
def test_the_callers_roles_are_taken(client: TestClient, query: str) -> None:
    roles = parse(client, LETTERS, query)["roles"]
    assert {label: found["role"] for label, found in roles.items()} == {"A": "agent", "B": "customer"}
    assert roles["A"]["basis"] == "map"


def test_several_conversations_are_told_apart_and_errors_named(client: TestClient) -> None:
    answer = parse(client, LINES)
    assert answer["conversation"] is None
    assert [(one["line"], one["conversation"]["turns"][0]["text"]) for one in answer["conversations"]] == [
        (1, "One."),
        (3, "Two."),
    ]
    assert [(error["line"], error["detail"]) for error in answer["errors"]] == [(2, "line 2: `turns` must be a list")]


def test_redactions_are_marked(client: TestClient) -> None:
    (turn,) = parse(client, b"Agent: Hello [PII], hi.")["conversation"]["turns"]
    assert [turn["text"][mark["start"] : mark["end"]] for mark in turn["redactions"]] == ["[PII]"]


@pytest.mark.parametrize(
    ("content", "query", "code"),
    [
        (b"nothing of note", "", "unreadable_transcript"),
        (b"", "", "unreadable_transcript"),
        (TEXT, "?format=fax", "invalid_conversation"),
        (TEXT, "?format=softsell", "unreadable_transcript"),
        (TEXT, "?roles=A", "invalid_conversation"),
        (TEXT, "?roles=A=boss", "invalid_conversation"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/transcripts/parse", "/v1/score"])
def test_what_cannot_be_read_is_a_problem(client: TestClient, path: str, content: bytes, query: str, code: str) -> None:
    response = client.post(path + query, content=content, headers={"Content-Type": "text/plain"})
    if not content and path == "/v1/score":
        assert response.status_code == 400
        return
    assert response.status_code == 422, response.text
    assert response.json()["code"] == code
    assert "boss" not in response.text


def test_a_transcript_as_the_body_is_scored_as_the_conversation_it_is(client: TestClient) -> None:
    sent = {"conversation": {"turns": [{"role": "agent", "text": "You need this, sign today."}]}}
    plain = client.post("/v1/score", json=sent).json()
    for response in (
        client.post("/v1/score", content=b"Agent: You need this, sign today.", headers={"Content-Type": "text/plain"}),
        client.post("/v1/score", json={"transcript": "Agent: You need this, sign today."}),
        client.post("/v1/score?roles=X=agent", json={"transcript": "X: You need this, sign today.\nX: "}),
        client.post("/v1/score", json={"transcript": "X: You need this, sign today.\nX: ", "roles": {"X": "agent"}}),
        client.post("/v1/score", json={"transcript": sent, "format": "softsell"}),
    ):
        assert response.status_code == 200, response.text
        answer = response.json()
        assert answer["mis_selling"] == plain["mis_selling"]
        assert answer["source"]["speakers"][0]["role"] == "agent"
    assert plain["source"] is None


def test_nobody_known_is_no_score(client: TestClient) -> None:
    answer = client.post("/v1/score", json={"transcript": "A: Hm.\nB: Well.\nA: Hm.\nB: Well."}).json()
    assert answer["mis_selling"] is None
    assert {item["code"] for item in answer["abstained"]} == {"roles_unknown"}
    assert [speaker["speaker"] for speaker in answer["source"]["speakers"]] == ["A", "B"]


@pytest.mark.parametrize(
    "body",
    [
        {"transcript": "Agent: hi", "conversation": {"turns": [{"role": "agent", "text": "hi"}]}},
        {"transcript": None},
        {"transcript": "Agent: hi", "format": "fax"},
        {"transcript": "Agent: hi", "roles": {"A": "boss"}},
        {"transcript": LINES.decode()},
        {"transcript": 7},
        {"transcript": "Agent: \ud800"},
    ],
)
def test_a_request_that_cannot_be_read_is_a_problem(client: TestClient, body: Any) -> None:
    response = client.post("/v1/score", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert response.status_code == 422, response.text
    assert "boss" not in response.text

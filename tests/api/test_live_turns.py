"""POST /v1/conversations/{id}/turns: as the whole would score, repeatable, bounded, and nobody else's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.access.tenant import Caller
from app.api.app import create_app
from app.engine.limits import Limits
from app.settings import Settings
from tests.serving import CALL, open_client, wait_until

CANARY = "canary"


def turn(id_: str, role: str, text: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "role": role, "text": text, **more}


def append(client: TestClient, id_: str, *turns: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = client.post(f"/v1/conversations/{id_}/turns", json={"turns": list(turns), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def whole(client: TestClient, *turns: dict[str, Any], id_: str | None = None) -> dict[str, Any]:
    known = ("id", "role", "text", "start_ms", "end_ms", "speaker")
    sent = [{key: value for key, value in one.items() if key in known} for one in turns]
    answer = client.post("/v1/score", json={"conversation": {"turns": sent, "id": id_}})
    assert answer.status_code == 200, answer.text
    return answer.json()


def without(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in names}


def scored(client: TestClient) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("softsell_conversations_scored_total"))


def small(**limits: Any) -> Any:
    return open_client(Settings(engine="stub", limits=Limits(**limits)))


def test_turn_by_turn_it_scores_as_the_whole(client: TestClient) -> None:
    turns = [turn(*one) for one in CALL]
    for size in range(1, len(turns) + 1):
        answer = append(client, "grows", turns[size - 1])
        expected = whole(client, *turns[:size])
        assert [without(one, "revision", "is_final") for one in answer["turns"]] == expected["turns"][-1:]
        assert answer["conversation"] == {name: expected[name] for name in answer["conversation"]}
    end = client.post("/v1/conversations/grows/finalize").json()
    assert end["result"] == whole(client, *turns, id_="grows")
    assert [(alert["category"], alert["turn_id"], alert["state"]) for alert in end["alerts"]] == [
        ("exaggeration", "1", "raised"),
        ("pricing_trickery", "3", "raised"),
        ("pressure", "3", "raised"),
    ]
    assert client.post("/v1/conversations/grows/finalize").status_code == 404


def test_the_same_again_is_answered_alike_and_not_scored(client: TestClient) -> None:
    turns = [turn(*one) for one in CALL[:3]]
    first = append(client, "again", *turns)
    assert {alert["state"] for alert in first["alerts"]} == {"raised"}
    before = scored(client)
    rung = client.get("/metrics").text.count("softsell_alerts_total{")
    assert append(client, "again", *turns) == first
    assert append(client, "again", *turns, known_turns=3) == first
    assert scored(client) == before
    assert client.get("/metrics").text.count("softsell_alerts_total{") == rung


def test_a_revision_withdraws_its_alert_and_scores_what_follows_anew(client: TestClient) -> None:
    append(client, "revised", turn("1", "agent", "It is guaranteed.", revision=1), turn("2", "customer", "How?"))
    revised = turn("1", "agent", "It is good.", revision=2, is_final=True)
    answer = append(client, "revised", revised)
    assert [(alert["category"], alert["state"]) for alert in answer["alerts"]] == [("exaggeration", "withdrawn")]
    assert (answer["turns"][0]["revision"], answer["conversation"]["mis_selling"]["band"]) == (2, "low")
    # Lower and equal revisions are ignored.
    for revision in (0, 1, 2):
        late = append(client, "revised", turn("1", "agent", "It is guaranteed.", revision=revision))
        assert late["turns"] == answer["turns"]
    assert client.post("/v1/conversations/revised/finalize").json()["result"] == whole(
        client, revised, turn("2", "customer", "How?"), id_="revised"
    )


def test_only_final_turns_ring_unless_asked(client: TestClient) -> None:
    partial = turn("1", "agent", "It is guaranteed.", is_final=False)
    assert append(client, "final-only", partial)["alerts"] == []
    before = scored(client)
    answer = append(client, "final-only", {**partial, "is_final": True})
    assert [alert["state"] for alert in answer["alerts"]] == ["raised"]
    assert scored(client) == before
    assert append(client, "partial", partial, alerts={"partial": True})["alerts"]


def test_the_caller_says_when_to_ring(client: TestClient) -> None:
    hurry = [
        turn(str(number), "agent", "Hurry, it is free!", start_ms=number, end_ms=number + 1) for number in range(5)
    ]
    policy = {"categories": {"pressure": {"on": 0.9, "min_turns": 3, "window_turns": 5}}}
    (alert,) = append(client, "policy", *hurry, alerts=policy)["alerts"]
    assert (alert["category"], alert["turn_id"], alert["turns"]) == ("pressure", "2", ["0", "1", "2"])
    assert (alert["start_ms"], alert["end_ms"], alert["evidence"][0]["text"]) == (2, 3, "Hurry")
    assert append(client, "deaf", *hurry, alerts={"categories": {}})["alerts"] == []
    (signal,) = append(client, "ill", turn("1", "customer", "I am ill"), alerts={"categories": {"vulnerability": {}}})[
        "alerts"
    ]
    assert signal["category"] == "vulnerability"


def test_ids_may_hold_slashes_and_do_not_hide_what_is_stored(client: TestClient) -> None:
    assert append(client, "a/b%2Fc", turn(*CALL[0]))["conversation_id"] == "a/b/c"
    assert client.get("/v1/conversations/a/b/c").status_code == 404
    assert append(client, "a/b/c", turn(*CALL[1]))["conversation"]["usage"]["turns"] == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"turns": []}, "/turns"),
        ({}, "/turns"),
        ({"turns": [{"role": "agent", "text": CANARY}]}, "/turns/0/id"),
        ({"turns": [turn("1", "agent", "  ")]}, "/turns/0/text"),
        ({"turns": [turn("1", "agent", CANARY), turn("1", "agent", CANARY)]}, "/turns"),
        ({"turns": [turn("1", "agent", CANARY, revision=-1)]}, "/turns/0/revision"),
        ({"turns": [turn("1", "agent", CANARY)], CANARY: 1}, ""),
        ({"turns": [turn("1", "agent", CANARY)], "alerts": {"categories": {CANARY: {}}}}, "/alerts/categories"),
        (
            {"turns": [turn("1", "agent", CANARY)], "alerts": {"categories": {"pressure": {"on": 2}}}},
            "/alerts/categories/pressure/on",
        ),
        ({"turns": [turn("1", "agent", "fine"), turn("2", "agent", "\u200b\u200b")]}, "/turns/1/text"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(client: TestClient, body: Any, pointer: str) -> None:
    answer = client.post("/v1/conversations/wrong/turns", json=body)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert CANARY not in answer.text


def test_other_kinds_of_body(client: TestClient) -> None:
    path = "/v1/conversations/kinds/turns"
    assert client.post(path, content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    assert (
        client.post(path, content=b'{"a": 1, "a": 2}', headers={"Content-Type": "application/json"}).status_code == 400
    )
    assert client.post(path, content=b"", headers={"Content-Type": "application/json"}).status_code == 400


def test_who_was_idle_is_told_to_send_all_again() -> None:
    with small(live_idle_s=0.2) as client:
        append(client, "idle", turn(*CALL[0]))
        time.sleep(0.3)
        answer = client.post("/v1/conversations/idle/turns", json={"turns": [turn(*CALL[1])]})
        assert (answer.status_code, answer.json()["code"]) == (410, "conversation_expired")
        assert "restart" in answer.json()["detail"]
        again = append(client, "idle", turn(*CALL[0]), turn(*CALL[1]), restart=True)
        assert again["conversation"]["usage"]["turns"] == 2


def test_a_conversation_that_the_server_never_knew_is_not_scored_out_of_context(client: TestClient) -> None:
    answer = client.post("/v1/conversations/lost/turns", json={"turns": [turn(*CALL[5])], "known_turns": 5})
    assert (answer.status_code, answer.json()["code"]) == (410, "conversation_expired")


def test_limits_of_one_conversation() -> None:
    with small(max_turns=2) as client:
        append(client, "long", turn("1", "agent", "one"), turn("2", "agent", "two"))
        answer = client.post("/v1/conversations/long/turns", json={"turns": [turn("3", "agent", "three")]})
        assert (answer.status_code, answer.json()["code"]) == (422, "limit_exceeded")


def test_the_longest_idle_makes_room() -> None:
    with small(max_live_conversations=2) as client:
        for id_ in "abc":
            append(client, id_, turn(*CALL[0]))
        assert client.post("/v1/conversations/a/turns", json={"turns": [turn(*CALL[1])]}).status_code == 410
        assert append(client, "b", turn(*CALL[1]))["conversation"]["usage"]["turns"] == 2


@pytest.fixture
def tenants(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A server on which a header says whose request it is."""
    monkeypatch.setattr(
        "app.api.live.turns.caller_of", lambda request: Caller(request.headers.get("X-Tenant", "local"), "key")
    )
    with TestClient(create_app(Settings(engine="stub"))) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


def test_tenants_do_not_see_each_other(tenants: TestClient) -> None:
    path = "/v1/conversations/same"
    one, other = {"X-Tenant": "one"}, {"X-Tenant": "other"}
    tenants.post(f"{path}/turns", json={"turns": [turn(*CALL[0])]}, headers=one)
    assert tenants.post(f"{path}/finalize", headers=other).status_code == 404
    answer = tenants.post(f"{path}/turns", json={"turns": [turn(*CALL[1])]}, headers=other)
    assert answer.json()["conversation"]["usage"]["turns"] == 1
    answer = tenants.post(f"{path}/turns", json={"turns": [turn(*CALL[1])]}, headers=one)
    assert answer.json()["conversation"]["usage"]["turns"] == 2

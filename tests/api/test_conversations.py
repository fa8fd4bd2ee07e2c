"""Storing a scored conversation over HTTP, and getting, listing, exporting and erasing it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from app.api.conversations import StoredAnswer, StoredList
from app.settings import Settings
from tests.serving import conversation, open_client

WORDS = "This plan is guaranteed marmalade"
PEOPLE = {"customer_id": "k/1 ü", "agent_id": "a-1"}


@pytest.fixture
def client(database_url: str) -> Iterator[TestClient]:
    with open_client(Settings(engine="stub", database_url=database_url, backup_retention_days=7)) as opened:
        yield opened


def call(id_: str | None = "c-1", text: str = WORDS, **options: Any) -> dict[str, Any]:
    more = {} if id_ is None else {"id": id_}
    body = conversation(("agent", text), ("customer", "I need to think."), metadata=PEOPLE, **more)
    return {**body, "options": options}


def score(client: TestClient, body: dict[str, Any]) -> dict[str, Any]:
    response = client.post("/v1/score", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def moment(sent: str) -> datetime:
    return datetime.fromisoformat(sent)


def test_nothing_is_stored_unless_asked_for(client: TestClient) -> None:
    answer = score(client, call())
    assert (answer["stored"], answer["expires_at"]) == (False, None)
    assert client.get("/v1/conversations/c-1").status_code == 404
    assert client.get("/v1/conversations", params={"agent_id": "a-1"}).json()["conversations"] == []


def test_a_stored_score_has_no_words(client: TestClient) -> None:
    answer = score(client, call(store=True))
    assert answer["stored"] is True
    assert timedelta(days=29) < moment(answer["expires_at"]) - datetime.now(UTC) < timedelta(days=31)
    response = client.get("/v1/conversations/c-1")
    assert response.status_code == 200
    assert "guaranteed" not in response.text
    assert "marmalade" not in response.text
    found = response.json()
    StoredAnswer.model_validate(found)
    assert found["turns"] is None
    assert (found["customer_id"], found["agent_id"]) == ("k/1 ü", "a-1")
    assert found["band"] == answer["mis_selling"]["band"] == "high"
    assert found["risk"] == answer["mis_selling"]["risk"]
    assert found["expires_at"] == answer["expires_at"]
    spans = [span for turn in found["result"]["turns"] for span in turn["evidence"]]
    assert [span.pop("text") for span in spans] == ["", ""]
    sent = [span.pop("text") for turn in answer["turns"] for span in turn["evidence"]]
    assert sent == ["guaranteed", "need"]
    assert found["result"] == answer


def test_with_its_text_it_is_whole(client: TestClient) -> None:
    answer = score(client, call(store=True, store_text=True))
    found = client.get("/v1/conversations/c-1").json()
    StoredAnswer.model_validate(found)
    assert [(turn["id"], turn["role"], turn["text"]) for turn in found["turns"]] == [
        ("0", "agent", WORDS),
        ("1", "customer", "I need to think."),
    ]
    assert found["result"]["turns"] == answer["turns"]


def test_of_a_transcript_no_names_are_stored(client: TestClient) -> None:
    transcript = {"turns": [{"role": "agent", "speaker": "Sam Marmalade", "text": "Hello, what do you need?"}]}
    answer = score(client, {"transcript": transcript, "options": {"store": True}})
    assert "Marmalade" in str(answer["source"])
    response = client.get(f"/v1/conversations/{answer['conversation_id']}")
    assert response.json()["result"]["source"]["format"] == answer["source"]["format"]
    assert "Marmalade" not in response.text


@pytest.mark.parametrize("id_", [None, ""])
def test_without_an_id_one_is_made(client: TestClient, id_: str | None) -> None:
    made = {score(client, call(id_, store=True))["conversation_id"] for _ in range(2)}
    assert len(made) == 2
    assert all(client.get(f"/v1/conversations/{each}").status_code == 200 for each in made)


def test_the_same_id_is_stored_anew(client: TestClient) -> None:
    score(client, call(store=True, store_text=True))
    score(client, call(text="What matters most to you?", store=True))
    found = client.get("/v1/conversations/c-1").json()
    assert (found["band"], found["turns"]) == ("low", None)
    assert len(client.get("/v1/conversations", params={"agent_id": "a-1"}).json()["conversations"]) == 1


@pytest.mark.parametrize("id_", ["2026/11/c 1", "urn:call:17?x#y", "ünï&+%"])
def test_any_printable_id_has_an_address(client: TestClient, id_: str) -> None:
    score(client, call(id_, store=True))
    for path in (quote(id_, safe=""), quote(id_)):
        assert client.get(f"/v1/conversations/{path}").json()["conversation_id"] == id_
    assert client.delete(f"/v1/conversations/{quote(id_, safe='')}").status_code == 200


@pytest.mark.parametrize("id_", ["a\x00b", "a\nb", "..", "a/../b"])
def test_an_id_without_an_address_is_refused_before_it_is_stored(client: TestClient, id_: str) -> None:
    assert client.post("/v1/score", json=call(id_)).status_code == 200
    response = client.post("/v1/score", json=call(id_, store=True))
    assert (response.status_code, response.json()["code"]) == (422, "invalid_conversation")


def test_an_id_that_is_never_stored_is_asked_for_in_vain(client: TestClient) -> None:
    for method in ("GET", "DELETE"):
        assert client.request(method, "/v1/conversations/a%00b").status_code == 422


def test_a_person_whose_id_no_database_takes_is_refused(client: TestClient) -> None:
    body = call(store=True)
    body["conversation"]["metadata"] = {"customer_id": "marma\x00lade"}
    response = client.post("/v1/score", json=body)
    assert response.status_code == 422
    assert "`customer_id`" in response.json()["detail"]
    assert "lade" not in response.text


def test_a_text_with_characters_that_databases_refuse_is_stored(client: TestClient) -> None:
    score(client, call(text="guaranteed \x00 \ufffe 🙂", store=True, store_text=True))
    found = client.get("/v1/conversations/c-1").json()
    assert found["turns"][0]["text"] == "guaranteed \x00 \ufffe 🙂"


def test_text_alone_is_not_stored(client: TestClient) -> None:
    response = client.post("/v1/score", json=call(store_text=True))
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/options"
    assert "`store`" in response.json()["errors"][0]["detail"]


def test_lists_are_pages_newest_first(client: TestClient) -> None:
    for number in range(5):
        score(client, call(f"c-{number}", store=True))
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        params = {"customer_id": PEOPLE["customer_id"], "limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = client.get("/v1/conversations", params=params).json()
        StoredList.model_validate(answer)
        seen += [found["conversation_id"] for found in answer["conversations"]]
        cursor = answer["next_cursor"]
    assert seen == ["c-4", "c-3", "c-2", "c-1", "c-0"]
    assert cursor is None


@pytest.mark.parametrize(
    "query",
    [
        "",
        "customer_id=a&agent_id=b",
        "customer_id=a%00",
        "customer_id=a&limit=0",
        "customer_id=a&limit=101",
        "customer_id=a&cursor=marmalade",
        "customer_id=a&cursor=WzEsMl0=",
        "customer_id=a&cursor=W1siMjAyNi0wMS0wMVQwMDowMDowMCJdLCAiYSJd",
        "customer_id=a&cursor=%C3%BC",
    ],
)
def test_a_wrong_question_is_told_so(client: TestClient, query: str) -> None:
    response = client.get(f"/v1/conversations?{query}")
    assert response.status_code == 422, response.text
    assert "marmalade" not in response.text


def test_an_export_holds_all_of_one_person(client: TestClient) -> None:
    for number in range(25):
        score(client, call(f"c-{number}", store=True, store_text=number == 0))
    body = call("other", store=True)
    body["conversation"]["metadata"] = {"customer_id": "k-2", "agent_id": "a-1"}
    score(client, body)
    response = client.get("/v1/export", params={"customer_id": PEOPLE["customer_id"]})
    assert response.headers["content-type"] == "application/jsonl"
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [line["conversation_id"] for line in lines] == [f"c-{number}" for number in range(25)]
    assert lines[0] == client.get("/v1/conversations/c-0").json()
    assert len(client.get("/v1/export", params={"agent_id": "a-1"}).text.splitlines()) == 26
    empty = client.get("/v1/export", params={"agent_id": "nobody"})
    assert (empty.status_code, empty.text) == (200, "")
    assert client.get("/v1/export").status_code == 422


def test_erased_is_gone_everywhere(client: TestClient) -> None:
    score(client, call(store=True, store_text=True))
    response = client.delete("/v1/conversations/c-1")
    assert response.status_code == 200
    assert response.json()["conversation_id"] == "c-1"
    until = moment(response.json()["backups_until"]) - datetime.now(UTC)
    assert timedelta(days=6) < until < timedelta(days=8)
    assert client.get("/v1/conversations/c-1").status_code == 404
    assert client.get("/v1/conversations", params={"agent_id": "a-1"}).json()["conversations"] == []
    assert client.get("/v1/export", params={"agent_id": "a-1"}).text == ""
    again = client.delete("/v1/conversations/c-1")
    assert (again.status_code, again.json()["code"]) == (404, "not_found")


def test_the_data_folder_is_made_when_something_is_stored(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with open_client(Settings(engine="stub", data_dir=folder)) as client:
        score(client, call())
        assert client.get("/v1/conversations/c-1").status_code == 404
        assert client.delete("/v1/conversations/c-1").status_code == 404
        assert client.get("/readyz").json()["store"] == "ok"
        assert not folder.exists()
        score(client, call(store=True))
        assert (folder / "softsell.db").exists()
    # Closed in order, all of it is in the one file.
    assert [file.name for file in folder.iterdir()] == ["softsell.db"]
    with open_client(Settings(engine="stub", data_dir=folder)) as client:
        assert client.get("/v1/conversations/c-1").status_code == 200


def test_tenants_are_apart(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    score(client, call(store=True))
    monkeypatch.setattr("app.api.conversations.tenant_of", lambda _: "other")
    assert client.get("/v1/conversations/c-1").status_code == 404
    assert client.delete("/v1/conversations/c-1").status_code == 404
    assert client.get("/v1/export", params={"agent_id": "a-1"}).text == ""

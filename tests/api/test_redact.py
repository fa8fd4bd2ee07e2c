"""`redact`: no identifier of a conversation is anywhere in what is answered or stored."""

from __future__ import annotations

import json
from typing import Any

from fastapi.testclient import TestClient

IDENTIFIERS = (
    "Karen",
    "Holt",
    "Dlamini",
    "07700",
    "900123",
    "4111",
    "example.org",
    "Elm Road",
    "LS6",
    "1962",
    "448091",
)
TURNS: list[dict[str, Any]] = [
    {"role": "agent", "speaker": "Karen Holt", "text": "It's Karen. Approval is guaranteed, Mr Dlamini: 07700 900123."},
    {"role": "customer", "speaker": "T Dlamini", "text": "The card is 4111 1111 1111 1111, mail me at t@example.org."},
    {"role": "agent", "speaker": "Karen Holt", "text": "Hurry, it ends today. Is it 14 Elm Road, LS6 3HN?"},
    {"role": "customer", "speaker": "T Dlamini", "text": "I need it. Born 14/03/1962, policy number POL-448091."},
]  # fmt: skip
METADATA = {"agent": "Karen Holt", "customer_phone": "07700 900123", "agent_id": "a-9", "product": "savings plan"}
SENT: dict[str, Any] = {"conversation": {"id": "c-17", "turns": TURNS, "metadata": METADATA}}
PLAIN = b"Agent: Hi, I'm Karen Holt, ring 07700 900123.\nCustomer: I need it, Karen. I was born on 14/03/1962.\n"


def leaks(text: str) -> list[str]:
    return [identifier for identifier in IDENTIFIERS if identifier.lower() in text.lower()]


def scored(client: TestClient, **options: Any) -> dict[str, Any]:
    response = client.post("/v1/score", json={**SENT, "options": options})
    assert response.status_code == 200, response.text
    assert not options.get("redact") or not leaks(response.text)
    answer: dict[str, Any] = response.json()
    return answer


def spans(answer: dict[str, Any]) -> list[tuple[str, int, int, float]]:
    return [(s["label"], s["start"], s["end"], s["score"]) for turn in answer["turns"] for s in turn["evidence"]]


def test_nothing_is_answered_but_masks_and_scores_stay(client: TestClient) -> None:
    plain, masked = scored(client), scored(client, redact=True)
    assert spans(masked) == spans(plain) != []
    without = ("turns", "redaction")
    assert {k: v for k, v in masked.items() if k not in without} == {k: v for k, v in plain.items() if k not in without}
    assert plain["redaction"] is None
    assert masked["redaction"] == {
        "email": 1,
        "card": 1,
        "date_of_birth": 1,
        "phone": 1,
        "address": 1,
        "number": 1,
        "name": 2,
    }


def test_a_transcript_is_masked_with_its_speakers(client: TestClient) -> None:
    said = [{"speaker": turn["speaker"], "text": turn["text"]} for turn in TURNS]
    roles = {"Karen Holt": "agent", "T Dlamini": "customer"}
    sent = {"transcript": said, "roles": roles, "options": {"redact": True}}
    response = client.post("/v1/score", json=sent)
    assert response.status_code == 200, response.text
    assert not leaks(response.text)
    assert [speaker["speaker"] for speaker in response.json()["source"]["speakers"]] == ["[NAME_1]", "[NAME_2]"]


def test_a_document_is_masked_by_its_query(client: TestClient) -> None:
    for path in ("/v1/score", "/v1/transcripts/parse"):
        response = client.post(path, content=PLAIN, params={"redact": "true"}, headers={"Content-Type": "text/plain"})
        assert response.status_code == 200, response.text
        assert not leaks(response.text)
        assert leaks(client.post("/v1/transcripts/parse", content=PLAIN).text)


def test_a_parsed_document_names_its_masks(client: TestClient) -> None:
    answer = client.post("/v1/transcripts/parse", content=PLAIN, params={"redact": "true"}).json()
    first, second = answer["conversation"]["turns"]
    assert first["text"] == "Hi, I'm [NAME], ring [PHONE]."
    assert second["text"] == "I need it, [NAME]. I was born on [DATE_OF_BIRTH]."
    assert [(mark["start"], mark["end"]) for mark in first["redactions"]] == [(8, 14), (21, 28)]
    assert answer["conversation"]["redaction"]["name"] == 2
    plain = client.post("/v1/transcripts/parse", content=PLAIN).json()
    assert plain["conversation"]["redaction"] is None


def test_what_is_stored_is_masked_and_its_evidence_counts_in_it(client: TestClient) -> None:
    answer = scored(client, redact=True, store=True, store_text=True)
    assert answer["stored"]
    response = client.get("/v1/conversations/c-17")
    assert response.status_code == 200, response.text
    assert not leaks(response.text)
    stored = response.json()
    found = [
        (span["text"], turn["text"][span["start"] : span["end"]])
        for turn, part in zip(stored["turns"], stored["result"]["turns"], strict=True)
        for span in part["evidence"]
    ]
    assert found == [("guaranteed", "guaranteed"), ("Hurry", "Hurry"), ("need", "need")]
    assert json.dumps(stored["result"]["redaction"]) == json.dumps(answer["redaction"])

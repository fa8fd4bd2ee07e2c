"""The contract of POST /v1/score."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from app.api import schemas
from app.api.requests import EXAMPLES
from app.core.labels import (
    DISMISSIVE,
    EMPATHY_DIMENSIONS,
    LABEL_SET_VERSION,
    MIS_SELLING,
    PRACTICE,
    SIGNALS,
    names,
)
from tests.serving import conversation

CALL: dict[str, Any] = EXAMPLES["call"]["value"]
ANSWER_FIELDS = [
    "conversation_id",
    "model_version",
    "label_set_version",
    "mis_selling",
    "empathy",
    "practice",
    "signals",
    "turns",
    "truncated",
    "abstained",
    "usage",
    "source",
    "redaction",
    "stored",
    "expires_at",
]


def score(client: TestClient, body: dict[str, Any]) -> dict[str, Any]:
    response = client.post("/v1/score", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


@pytest.mark.parametrize(
    ("model", "labels"),
    [
        (schemas.Categories, names(MIS_SELLING)),
        (schemas.Practice, names(PRACTICE)),
        (schemas.Signals, names(SIGNALS)),
        (schemas.TurnEmpathy, (*(dimension.name for dimension in EMPATHY_DIMENSIONS), DISMISSIVE.name)),
        (schemas.Empathy, ("score", *(dimension.name for dimension in EMPATHY_DIMENSIONS), DISMISSIVE.name)),
    ],
)
def test_fields_are_the_labels_of_the_core(model: type[BaseModel], labels: tuple[str, ...]) -> None:
    assert tuple(model.model_fields) == labels


def test_a_call_gets_its_whole_score(client: TestClient) -> None:
    answer = score(client, CALL)
    assert list(answer) == ANSWER_FIELDS
    assert answer["conversation_id"] == "c-17"
    assert answer["model_version"] == "stub"
    assert answer["label_set_version"] == LABEL_SET_VERSION
    assert answer["mis_selling"]["band"] == "high"
    assert answer["mis_selling"]["risk"] > 0.9
    assert answer["mis_selling"]["categories"]["exaggeration"] > 0.9
    assert answer["mis_selling"]["categories"]["pressure"] < 0.1
    assert set(answer["empathy"]) == {"score", "emotional_reaction", "interpretation", "exploration", "dismissive"}
    assert (answer["truncated"], answer["abstained"]) == ([], [])
    assert answer["usage"]["turns"] == 2
    assert answer["usage"]["tokens"] > 20
    agent, customer = answer["turns"]
    assert (agent["id"], agent["role"], agent["signals"]) == ("1", "agent", None)
    assert agent["mis_selling"]["categories"]["exaggeration"] > 0.9
    assert (customer["id"], customer["role"]) == ("2", "customer")
    assert customer["mis_selling"] is customer["empathy"] is customer["practice"] is None
    assert set(customer["signals"]) == set(names(SIGNALS))


def test_evidence_is_cut_from_the_text_as_sent(client: TestClient) -> None:
    text = "\uff28\uff55\uff52\uff52\uff59 👩‍👩‍👧: it is\u200b gua\u00adranteed, and «free»!"
    turn = score(client, conversation(("agent", text)))["turns"][0]
    assert {span["label"] for span in turn["evidence"]} == {"exaggeration", "pressure", "pricing_trickery"}
    for span in turn["evidence"]:
        assert span["text"] == text[span["start"] : span["end"]]
        assert 0.5 < span["score"] <= 1
    assert [span["text"] for span in turn["evidence"]][:2] == ["\uff28\uff55\uff52\uff52\uff59", "gua\u00adranteed"]


def test_options_leave_out_turns_and_evidence(client: TestClient) -> None:
    full = score(client, CALL)
    assert full["turns"][0]["evidence"]
    bare = score(client, {**CALL, "options": {"turns": False}})
    assert bare["turns"] == []
    assert {**bare, "turns": full["turns"]} == full
    plain = score(client, {**CALL, "options": {"evidence": False}})
    assert [turn["evidence"] for turn in plain["turns"]] == [[], []]
    assert plain["mis_selling"] == full["mis_selling"]


def test_without_an_agent_it_abstains_and_says_so(client: TestClient) -> None:
    answer = score(client, conversation(("customer", "I need help"), ("bot", "guaranteed"), ("system", "free")))
    assert answer["mis_selling"] is answer["empathy"] is answer["practice"] is None
    assert answer["signals"]["need"] > 0.9
    assert [(item["of"], item["code"]) for item in answer["abstained"]] == [
        ("mis_selling", "no_agent_turns"),
        ("empathy", "no_agent_turns"),
        ("practice", "no_agent_turns"),
    ]
    assert all("agent" in item["detail"] for item in answer["abstained"])
    for turn in answer["turns"][1:]:
        assert turn == {
            "id": turn["id"],
            "role": turn["role"],
            "mis_selling": None,
            "empathy": None,
            "practice": None,
            "signals": None,
            "evidence": [],
        }


def test_where_nobody_knows_who_is_who_it_abstains_for_that_reason(client: TestClient) -> None:
    answer = score(client, conversation(("unknown", "I need help"), ("unknown", "guaranteed")))
    assert {(item["of"], item["code"]) for item in answer["abstained"]} == {
        (part, "roles_unknown") for part in ("mis_selling", "empathy", "practice", "signals")
    }


def test_without_a_customer_there_are_no_signals(client: TestClient) -> None:
    answer = score(client, conversation(("agent", "hello, good morning")))
    assert answer["signals"] is None
    assert [item["of"] for item in answer["abstained"]] == ["signals"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Buenos días, le llamo para hablar de su contrato con nosotros", "language_not_english"),
        ("[NAME] [DATE] [CARD] ok", "text_too_damaged"),
    ],
)
def test_a_side_that_cannot_be_judged_is_null_with_its_reason(client: TestClient, text: str, code: str) -> None:
    answer = score(client, conversation(("agent", text), ("customer", "I need help now")))
    assert answer["mis_selling"] is answer["empathy"] is answer["practice"] is None
    assert answer["signals"]["need"] > 0.9
    assert [(item["of"], item["code"]) for item in answer["abstained"]] == [
        (of, code) for of in ("mis_selling", "empathy", "practice")
    ]
    assert text not in str(answer["abstained"])
    agent, customer = answer["turns"]
    assert agent["mis_selling"] is agent["empathy"] is agent["practice"] is None
    assert agent["evidence"] == []
    assert customer["signals"]["need"] > 0.9


def test_too_little_to_judge_a_call_is_still_a_turn_with_a_score(client: TestClient) -> None:
    answer = score(client, conversation(("agent", "Hi"), ("customer", "I need help now")))
    assert answer["mis_selling"] is None
    assert {item["code"] for item in answer["abstained"]} == {"too_little_said"}
    assert 0 <= answer["turns"][0]["mis_selling"]["risk"] <= 1


def test_absent_ids_are_indices_that_clash_with_none(client: TestClient) -> None:
    given = [None, "0", None, "2", None, "0.1"]
    turns = [{"role": "agent", "text": "hello", **({"id": id_} if id_ else {})} for id_ in given]
    ids = [turn["id"] for turn in score(client, {"conversation": {"turns": turns}})["turns"]]
    assert ids == ["0.2", "0", "2.1", "2", "4", "0.1"]


def test_the_least_there_can_be(client: TestClient) -> None:
    answer = score(client, {"conversation": {"turns": [{"role": "agent", "text": "x"}]}})
    assert answer["conversation_id"] is None
    assert answer["turns"][0]["id"] == "0"


def test_the_same_call_gets_the_same_answer(client: TestClient) -> None:
    assert score(client, CALL) == score(client, CALL)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_the_documentation_work(client: TestClient, name: str) -> None:
    score(client, EXAMPLES[name]["value"])

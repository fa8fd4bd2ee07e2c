"""The routes that only read: labels, model, document, metrics."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from app.api.documents import openapi
from app.core.labels import EMPATHY_DIMENSIONS, LABEL_SET_VERSION, SEVERITY_LEVELS, TURN_LABELS
from tests.serving import Opened


def samples(client: TestClient) -> dict[str, float]:
    """Sums over labels, by metric name."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def test_labels_are_those_of_the_core(client: TestClient) -> None:
    answer = client.get("/v1/labels").json()
    assert answer["label_set_version"] == LABEL_SET_VERSION
    labels = [label for group in answer["groups"] for label in group["labels"]]
    assert [label["name"] for label in labels] == [label.name for label in TURN_LABELS]
    for sent, label in zip(labels, TURN_LABELS, strict=True):
        assert (sent["definition"], sent["excludes"], sent["role"]) == (label.definition, label.excludes, label.role)
        assert tuple(sent["rules"]) == label.rules
    assert [len(dimension["levels"]) for dimension in answer["empathy_dimensions"]] == [3] * len(EMPATHY_DIMENSIONS)
    assert [level["definition"] for level in answer["severity_levels"]] == list(SEVERITY_LEVELS)


def test_the_model_tells_its_version_and_thresholds(client: TestClient) -> None:
    answer = client.get("/v1/model").json()
    assert (answer["model_version"], answer["label_set_version"]) == ("stub", LABEL_SET_VERSION)
    assert [entry["label"] for entry in answer["thresholds"]] == [label.name for label in TURN_LABELS]
    assert answer["bands"] == {"medium_from": 0.3, "high_from": 0.7}


def test_the_committed_document_is_that_of_the_code() -> None:
    assert openapi.FILE.read_text(encoding="utf-8") == openapi.rendered(), "run: python -m app.api.documents.openapi"


def test_the_document_has_short_names_and_declares_every_problem() -> None:
    made = json.loads(openapi.rendered())
    assert made["openapi"].startswith("3.1")
    operations = {operation["operationId"]: operation for path in made["paths"].values() for operation in path.values()}
    assert set(operations) >= {"score", "parseTranscript", "labels", "model", "livez", "readyz", "metrics"}
    assert set(operations) >= {"listConversations", "exportConversations", "getConversation", "eraseConversation"}
    assert set(operations["score"]["responses"]) == {
        *("200", "400", "401", "403", "408", "413", "415", "422", "429", "500", "503", "504")
    }
    for operation in operations.values():
        for status, response in operation["responses"].items():
            if not status.startswith("2"):
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}
    parts = made["components"]["schemas"]
    assert "HTTPValidationError" not in parts
    for name in ("TurnBody", "ConversationBody", "Options", "ScoreRequest"):
        assert parts[name]["additionalProperties"] is False
    bare = [
        (name, field)
        for name, part in parts.items()
        for field, schema in part.get("properties", {}).items()
        if not schema.get("description")
    ]
    assert bare == []


def test_no_field_of_a_score_is_a_free_map() -> None:
    parts = json.loads(openapi.rendered())["components"]["schemas"]
    free = [
        (name, field)
        for name, part in parts.items()
        for field, schema in part.get("properties", {}).items()
        if schema.get("type") == "object" and "$ref" not in schema
    ]
    # What callers name themselves, and what is not on the way of a score.
    assert free == [
        ("ConversationBody", "metadata"),
        ("ModelAnswer", "evaluation"),
        ("ModelAnswer", "manifest"),
        ("ParseAnswer", "roles"),
        ("ParsedConversation", "metadata"),
        ("ParsedOne", "roles"),
        ("ScoreRequest", "roles"),
    ]


def test_metrics_balance(opened: Opened, good: Any) -> None:
    with opened() as client:
        for _ in range(3):
            client.post("/v1/score", json=good)
        client.post("/v1/score", json={})
        client.get("/nope")
        client.request("BREW", "/v1/score")
        found = samples(client)
        # The request that reads is received and not yet answered.
        assert found["softsell_requests_received_total"] == found["softsell_requests_total"] + 1
        assert found["softsell_requests_in_flight"] == 1
        assert found["softsell_conversations_scored_total"] == 3
        assert found["softsell_turns_scored_total"] == 6
        assert found["softsell_tokens_scored_total"] > 20
        assert found["softsell_queue_depth"] == found["softsell_workers_busy"] == 0
        text = client.get("/metrics").text
        assert 'softsell_requests_total{method="OTHER",route="/v1/score",status="405"} 1.0' in text
        assert 'route="unmatched",status="404"} 1.0' in text
        assert "nope" not in text


def test_applications_do_not_share_their_books(opened: Opened, good: Any) -> None:
    with opened() as one, opened() as other:
        one.post("/v1/score", json=good)
        assert samples(one)["softsell_conversations_scored_total"] == 1
        assert samples(other)["softsell_conversations_scored_total"] == 0


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_documentation_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 200

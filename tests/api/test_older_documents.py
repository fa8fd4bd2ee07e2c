"""The API's document in OpenAPI 3.0.3 and Swagger 2.0: made from the 3.1 one, valid, and in the form platforms take."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import (
    OpenAPIV2SpecValidator,
    OpenAPIV30SpecValidator,
    OpenAPIV31SpecValidator,
)

from app.api.documents import openapi
from app.api.documents.openapi_3_0 import LONGEST_DESCRIPTION, NoSuchForm, downgraded
from app.api.documents.swagger_2_0 import swagger
from tests.serving import conversation

FILES = {path.name: path for path in openapi.files()}
MADE = {path.name: json.loads(text) for path, text in openapi.files().items()}
NEW, OLD, OLDEST = MADE["openapi.json"], MADE["openapi-3.0.json"], MADE["swagger-2.0.json"]
# Reserved words of Apex are not looked at here: see docs/integrations/salesforce.md.
APEX_NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*")


def everything(part: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All objects of a document with their places; what stands in examples is no part of it."""
    if isinstance(part, dict):
        yield place, part
        for key, value in part.items():
            if key != "example":
                yield from everything(value, (*place, key))
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from everything(value, (*place, str(index)))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in document["paths"].values():
        yield from path.items()


def fields(schemas: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, schema in schemas.items():
        for field, part in schema.get("properties", {}).items():
            yield name, field, part


def small(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A 3.1 document with one operation that answers with these properties."""
    schemas = {
        "Made": {"type": "object", "properties": properties},
        "Kind": {"type": "string", "enum": ["a", "b"]},
        **more,
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Made"}}}
    get = {"operationId": "made", "responses": {"200": {"description": "Made.", "content": content}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/made": {"get": get}},
        "components": {"schemas": schemas},
    }


def down(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    document = downgraded(small({"field": schema}, **more))
    OpenAPIV30SpecValidator(document).validate()
    OpenAPIV2SpecValidator(swagger(document)).validate()
    made: dict[str, Any] = document["components"]["schemas"]["Made"]["properties"]["field"]
    return made


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_committed_documents_are_those_of_the_code(name: str) -> None:
    committed = FILES[name].read_text(encoding="utf-8")
    assert committed == openapi.files()[FILES[name]], "run: python -m app.api.documents.openapi"


def test_all_documents_are_valid() -> None:
    OpenAPIV31SpecValidator(NEW).validate()
    OpenAPIV30SpecValidator(OLD).validate()
    OpenAPIV2SpecValidator(OLDEST).validate()
    assert (NEW["openapi"][:3], OLD["openapi"], OLDEST["swagger"]) == ("3.1", "3.0.3", "2.0")


def test_the_older_ones_hold_all_operations_but_those_of_supervisors() -> None:
    def ids(document: dict[str, Any]) -> set[str]:
        return {operation["operationId"] for _, operation in operations(document)}

    assert ids(OLD) == ids(OLDEST) == ids(NEW) - {"livez", "readyz", "metrics"}
    # Fields are kept but those whose content nobody can name.
    sent = {
        (name, field) for name, field, _ in fields(NEW["components"]["schemas"]) if name not in ("Status", "Readiness")
    }
    kept = {(name, field) for name, field, _ in fields(OLD["components"]["schemas"])}
    assert sent - kept == {("ModelAnswer", "evaluation"), ("ModelAnswer", "manifest")}
    assert kept == {(name, field) for name, field, _ in fields(OLDEST["definitions"])}


def test_names_are_names_in_apex() -> None:
    for _, operation in operations(OLD):
        assert APEX_NAME.fullmatch(operation["operationId"])
        assert len(operation["operationId"]) <= 40
        for parameter in operation.get("parameters", ()):
            assert APEX_NAME.fullmatch(parameter["name"])
    schemas = OLD["components"]["schemas"]
    assert [name for name in schemas if not APEX_NAME.fullmatch(name)] == []
    assert [(name, field) for name, field, _ in fields(schemas) if not APEX_NAME.fullmatch(field)] == []


@pytest.mark.parametrize("bad", ["a-b", "1a", "_a", "a_", "a__b", "a/b", ""])
def test_what_is_no_name_in_apex(bad: str) -> None:
    assert not APEX_NAME.fullmatch(bad)


@pytest.mark.parametrize("document", [OLD, OLDEST], ids=["3.0", "2.0"])
def test_no_unions_and_nothing_of_3_1(document: dict[str, Any]) -> None:
    for place, part in everything(document):
        if place and place[-1] == "properties":
            continue
        assert not {"anyOf", "oneOf", "allOf", "not", "const", "examples", "propertyNames", "$defs"} & set(part), place
        assert not isinstance(part.get("type"), list), place
        assert isinstance(part.get("exclusiveMinimum", True), bool), place
        assert part.get("type") != "null", place
        # Beside `$ref` nothing counts.
        assert "$ref" not in part or len(part) == 1, place


@pytest.mark.parametrize("document", [OLD, OLDEST], ids=["3.0", "2.0"])
def test_descriptions_are_short(document: dict[str, Any]) -> None:
    said = [part["description"] for _, part in everything(document) if isinstance(part.get("description"), str)]
    assert len(said) > 50
    assert max(map(len, said)) < 1_333
    assert len(down({"type": "string", "description": "word " * 900})["description"]) <= LONGEST_DESCRIPTION


def test_bodies_are_json_or_text_and_get_has_none() -> None:
    for method, operation in operations(OLD):
        assert method != "get" or "requestBody" not in operation
        bodies = [*operation["responses"].values(), operation.get("requestBody", {})]
        for body in bodies:
            assert set(body.get("content", {})) <= {"application/json", "text/plain"}
            # Salesforce reads no headers of answers.
            assert "headers" not in body
    for method, operation in operations(OLDEST):
        assert {*operation.get("consumes", ()), *operation["produces"]} <= {"application/json", "text/plain"}
        assert method != "get" or all(part["in"] != "body" for part in operation.get("parameters", ()))


def test_maps_are_left_only_where_callers_or_sources_name_the_keys() -> None:
    free = [(name, field) for name, field, part in fields(OLD["components"]["schemas"]) if part.get("type") == "object"]
    assert free == [
        ("ConversationBody", "metadata"),
        ("ParseAnswer", "roles"),
        ("ParsedConversation", "metadata"),
        ("ParsedOne", "roles"),
        ("ScoreRequest", "roles"),
    ]


def test_a_transcript_is_text() -> None:
    request = OLD["components"]["schemas"]["ScoreRequest"]["properties"]
    assert request["transcript"]["type"] == "string"
    document = next(op for _, op in operations(OLD) if op["operationId"] == "parseTranscript")["requestBody"]
    assert document["content"] == {"text/plain": {"schema": {"type": "string"}}}


def test_times_have_64_bits() -> None:
    turn = OLD["components"]["schemas"]["ParsedTurn"]["properties"]
    assert (turn["start_ms"]["format"], turn["index"]["format"]) == ("int64", "int32")


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string", "nullable": True}),
        ({"type": ["integer", "null"]}, {"type": "integer", "format": "int32", "nullable": True}),
        ({"const": "voice"}, {"type": "string", "enum": ["voice"]}),
        ({"type": "string", "examples": ["a", "b"]}, {"type": "string", "example": "a"}),
        (
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "number", "format": "double", "minimum": 0, "exclusiveMinimum": True},
        ),
        ({}, {"type": "string"}),
        (
            {"$ref": "#/components/schemas/Kind", "description": "D."},
            {"type": "string", "enum": ["a", "b"], "description": "D."},
        ),
        (
            {"anyOf": [{"$ref": "#/components/schemas/Kind"}, {"type": "null"}], "default": None},
            {"type": "string", "nullable": True, "description": "One of a, b."},
        ),
        ({"type": "array", "items": {}}, {"type": "array", "items": {"type": "string"}}),
    ],
)
def test_each_rule(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert down(schema) == expected


def test_a_part_that_may_be_null_says_so_itself() -> None:
    part = {"Part": {"type": "object", "properties": {"a": {"type": "string"}}}}
    union = {"anyOf": [{"$ref": "#/components/schemas/Part"}, {"type": "null"}], "description": "Lost."}
    made = downgraded(small({"field": union}, **part))["components"]["schemas"]
    assert made["Made"]["properties"]["field"] == {"$ref": "#/components/schemas/Part"}
    assert made["Part"]["nullable"] is True


def test_a_true_union_is_refused_and_named() -> None:
    with pytest.raises(NoSuchForm, match=r"Made\.field"):
        downgraded(small({"field": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}))


def test_converting_changes_no_source() -> None:
    before = json.dumps(NEW)
    swagger(downgraded(NEW))
    assert json.dumps(NEW) == before


def test_swagger_has_body_parameters_and_words_for_the_designer() -> None:
    score = OLDEST["paths"]["/v1/score"]["post"]
    named = {parameter["name"]: parameter for parameter in score["parameters"]}
    assert named["body"]["in"] == "body"
    assert named["body"]["schema"] == {"$ref": "#/definitions/ScoreRequest"}
    assert (named["roles"]["type"], named["roles"]["collectionFormat"]) == ("array", "multi")
    assert named["roles"]["x-ms-visibility"] == "advanced"
    assert (score["consumes"], score["produces"]) == (["application/json"], ["application/json"])
    assert score["responses"]["200"]["schema"] == {"$ref": "#/definitions/ScoreAnswer"}
    text = json.dumps(OLDEST)
    assert '"nullable"' not in text
    assert '"x-nullable"' in text
    assert "#/components/" not in text
    unnamed = [
        (name, field) for name, field, part in fields(OLDEST["definitions"]) if not {"$ref", "x-ms-summary"} & set(part)
    ]
    assert unnamed == []


def validator(name: str) -> OAS30Validator:
    return OAS30Validator({"allOf": [{"$ref": f"#/components/schemas/{name}"}], "components": OLD["components"]})


@pytest.mark.parametrize(
    "turns",
    [
        [("agent", "It is guaranteed, sign today."), ("customer", "I need to think.")],
        [("customer", "Nobody of the firm has said a word.")],
        [("agent", "Is anybody there?")],
    ],
    ids=["both", "customer only", "agent only"],
)
def test_real_scores_fit_the_schema(client: TestClient, turns: list[tuple[str, str]]) -> None:
    answer = client.post("/v1/score", json=conversation(*turns))
    assert answer.status_code == 200
    assert list(validator("ScoreAnswer").iter_errors(answer.json())) == []
    broken = {**answer.json(), "model_version": 7}
    assert list(validator("ScoreAnswer").iter_errors(broken)) != []


def test_other_real_answers_fit_the_schema(client: TestClient) -> None:
    transcript = "Agent: Hello there.\nCustomer: Hello.\n"
    asked = {
        "ParseAnswer": client.post("/v1/transcripts/parse", content=transcript, headers={"Content-Type": "text/plain"}),
        "ScoreAnswer": client.post("/v1/score", json={"transcript": transcript}),
        "LabelsAnswer": client.get("/v1/labels"),
        "ModelAnswer": client.get("/v1/model"),
        "Problem": client.post("/v1/score", json={}),
    }
    for name, answer in asked.items():
        assert list(validator(name).iter_errors(answer.json())) == [], name

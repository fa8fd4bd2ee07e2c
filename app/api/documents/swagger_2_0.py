"""The API's document as Swagger 2.0, which is what custom connectors of Microsoft's Power Platform are made from.

It is made from the 3.0.3 form, which has no unions left. `x-ms-summary` names a field in the designer,
`x-ms-visibility` moves what is rarely set under "advanced"; `x-nullable` stands for `nullable`.
"""

from __future__ import annotations

from typing import Any

from app.api.documents.openapi_3_0 import Json

VERSION = "2.0"
# A place for the firm's own host, which the connector's settings replace.
HOST = "softsell.example.com"
_KEY = "apiKey"
_FROM, _TO = "#/components/schemas/", "#/definitions/"


def _schema(part: Any) -> Any:
    if isinstance(part, list):
        return [_schema(item) for item in part]
    if not isinstance(part, dict):
        return part
    made: Json = {}
    for key, value in part.items():
        if key == "$ref":
            made[key] = value.replace(_FROM, _TO)
        elif key == "nullable":
            made["x-nullable"] = value
        elif key == "properties":
            made[key] = {name: _property(name, field) for name, field in value.items()}
        elif key in ("example", "default", "enum"):
            made[key] = value
        elif key != "title":
            made[key] = _schema(value)
    return made


def _title(name: str, schema: Json) -> str:
    title = schema.get("title") or name.replace("_", " ")
    return str(title[0].upper() + title[1:].lower())


def _property(name: str, schema: Json) -> Json:
    made: Json = _schema(schema)
    if "$ref" not in made:
        made["x-ms-summary"] = _title(name, schema)
    return made


def _parameter(sent: Json) -> Json:
    schema = sent["schema"]
    made = {"name": sent["name"], "in": sent["in"], "required": sent.get("required", False)}
    if "description" in sent:
        made["description"] = sent["description"]
    made |= _schema(schema)
    if made.get("type") == "array":
        made["collectionFormat"] = "multi"
    made["x-ms-summary"] = _title(sent["name"], schema)
    made["x-ms-visibility"] = "important" if made["required"] else "advanced"
    return made


def _operation(sent: Json) -> Json:
    made: Json = {key: sent[key] for key in ("tags", "summary", "description", "operationId") if key in sent}
    parameters = [_parameter(parameter) for parameter in sent.get("parameters", ())]
    if body := sent.get("requestBody"):
        ((media, content),) = body["content"].items()
        made["consumes"] = [media]
        parameters.append(
            {
                "name": "body",
                "in": "body",
                "required": body.get("required", False),
                "description": body.get("description", "What is sent."),
                "schema": _schema(content["schema"]),
                "x-ms-summary": "Body",
                "x-ms-visibility": "important",
            }
        )
    if parameters:
        made["parameters"] = parameters
    if "security" in sent:
        made["security"] = [way for way in sent["security"] if _KEY in way]
    produced: set[str] = set()
    made["responses"] = {}
    for status, answer in sent["responses"].items():
        made["responses"][status] = {"description": answer["description"]}
        for media, content in answer.get("content", {}).items():
            produced.add(media)
            made["responses"][status]["schema"] = _schema(content["schema"])
    made["produces"] = sorted(produced)
    return made


def _security_definitions(document: Json) -> Json:
    """A key in a header is all of it that 2.0 has words for."""
    schemes = document["components"].get("securitySchemes", {})
    return {_KEY: schemes[_KEY]} if _KEY in schemes else {}


def swagger(document: Json) -> Json:
    """The 2.0 form of a 3.0.3 document as `app.api.documents.openapi_3_0` writes it."""
    return {
        "swagger": VERSION,
        "info": document["info"],
        "host": HOST,
        "basePath": "/",
        "schemes": ["https"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "paths": {
            path: {method: _operation(operation) for method, operation in operations.items()}
            for path, operations in document["paths"].items()
        },
        "securityDefinitions": _security_definitions(document),
        "definitions": {name: _schema(schema) for name, schema in document["components"]["schemas"].items()},
    }

"""The API's document as OpenAPI 3.0.3, in the narrower form that low-code platforms take.

Salesforce External Services reads no 3.1, no `oneOf`, `anyOf` or `allOf`, and no media types but JSON and
text. So what may be null is `nullable`, names of plain values (enums) are put in place, and what may be any
JSON, such as `transcript`, is text. Health and metrics are left out: nobody calls them from a flow. Maps of
unknown content are left out of answers as well; they still come, and may be ignored.

A converter of our own, since openapi-downgrade (PyPI, 1.0.1) goes to 3.0 in general only: it writes `oneOf`
where it needs one, and knows neither these rules nor 2.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

VERSION = "3.0.3"
# Salesforce keeps no more of a description than 1,333 characters.
LONGEST_DESCRIPTION = 1_332
_LEFT_OUT_TAG = "health"
_PREFIX = "#/components/schemas/"
_LARGEST_INT32 = 2**31 - 1
# 3.1 only, or of no use where a schema describes a class of a programme.
_DROPPED = frozenset({"$schema", "$id", "$comment", "$defs", "propertyNames", "patternProperties", "const", "examples"})
_UNIONS = ("anyOf", "oneOf", "allOf")

Json = dict[str, Any]


class NoSuchForm(ValueError):
    """A schema that cannot be said in 3.0.3 under the rules above; its place is named."""


def _name(reference: str) -> str:
    return reference.removeprefix(_PREFIX)


def _parts_of(schema: Json) -> tuple[list[Json], bool]:
    """What a schema may be apart from null, and whether it may be null."""
    union = next((word for word in _UNIONS if word in schema), None)
    if union is not None:
        parts = [part for part in schema[union] if part.get("type") != "null"]
        return parts, len(parts) < len(schema[union])
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return [{**schema, "type": kind} for kind in kinds if kind != "null"], "null" in kinds
    return [schema], False


def _bounds(schema: Json) -> None:
    """Exclusive bounds: numbers in 3.1, a yes or no beside the bound in 3.0."""
    for word, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if word in schema and not isinstance(schema[word], bool):
            schema[bound], schema[word] = schema[word], True


def _width(schema: Json, field: str) -> None:
    """Say of an integer that it needs 64 bits: times in ms do, and readers of 3.0 assume 32."""
    if schema.get("type") == "integer" and "format" not in schema:
        wide = field.endswith("_ms") or schema.get("maximum", 0) > _LARGEST_INT32
        schema["format"] = "int64" if wide else "int32"
    elif schema.get("type") == "number":
        schema.setdefault("format", "double")


class _Schemas:
    """The schemas of one document on their way to 3.0.3."""

    def __init__(self, sent: Mapping[str, Json]) -> None:
        self._sent = sent
        self.nullable: set[str] = set()

    def convert(self, schema: Json | bool, place: str) -> Json:
        """One schema. Raises `NoSuchForm`."""
        if isinstance(schema, bool):
            return {"type": "string"}
        parts, nullable = _parts_of(schema)
        if len(parts) != 1:
            raise NoSuchForm(f"{place} may be one of several things; 3.0.3 for Salesforce has no union")
        around = {key: value for key, value in schema.items() if key not in (*_UNIONS, "type")}
        reference = parts[0].get("$ref")
        if reference is None:
            return self._plain({**around, **parts[0]}, nullable, place)
        target = self._sent[_name(reference)]
        if "properties" not in target:
            return self._plain({**target, **around, "$ref": None}, nullable, place)
        # Beside `$ref` nothing counts in 3.0, so the schema itself says that it may be null.
        if nullable:
            self.nullable.add(_name(reference))
        return {"$ref": reference}

    def _plain(self, schema: Json, nullable: bool, place: str) -> Json:
        made = {key: value for key, value in schema.items() if key not in _DROPPED and key != "$ref"}
        if "const" in schema:
            made["enum"] = [schema["const"]]
        if schema.get("examples"):
            made["example"] = schema["examples"][0]
        if "type" not in made:
            made["type"] = "string" if not isinstance(schema.get("const"), bool) else "boolean"
        if made["type"] == "object":
            self._object(made, place)
        elif made["type"] == "array":
            made["items"] = self.convert(made.get("items", True), f"{place}[]")
        _bounds(made)
        _width(made, place.rpartition(".")[2])
        _shorten(made)
        if nullable:
            made["nullable"] = True
            if values := made.pop("enum", None):
                # An enum would have to hold null, which generators of code do not expect.
                made["description"] = f"{made.get('description', '')} One of {', '.join(map(str, values))}.".strip()
        if made.get("default", "") is None:
            del made["default"]
        return made

    def _object(self, schema: Json, place: str) -> None:
        kept = {
            name: self.convert(field, f"{place}.{name}")
            for name, field in schema.get("properties", {}).items()
            if not _unknown_map(field)
        }
        if "properties" in schema:
            schema["properties"] = kept
            required = [name for name in schema.pop("required", ()) if name in kept]
            if required:
                schema["required"] = required
        more = schema.get("additionalProperties")
        if isinstance(more, dict):
            schema["additionalProperties"] = self.convert(more, f"{place}{{}}")


def _unknown_map(schema: Json | bool) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "object" and schema.get("additionalProperties") is True


def _shorten(part: Json) -> None:
    description = part.get("description")
    if isinstance(description, str):
        part["description"] = " ".join(description.split())[:LONGEST_DESCRIPTION]


def _content(content: Json, schemas: _Schemas, place: str) -> Json:
    """A body as JSON where it has such a form, else as text."""
    for media, body in content.items():
        if media == "application/json" or media.endswith("+json"):
            made: Json = {"schema": schemas.convert(body["schema"], place)}
            if examples := body.get("examples"):
                made["example"] = next(iter(examples.values()))["value"]
            return {"application/json": made}
    return {"text/plain": {"schema": {"type": "string"}}}


def _operation(sent: Json, schemas: _Schemas) -> Json:
    made = {key: value for key, value in sent.items() if key not in ("parameters", "requestBody", "responses")}
    place = made["operationId"]
    _shorten(made)
    if "security" in sent:
        # Scopes are named for OAuth alone, here.
        ways = {name: None for way in sent["security"] for name in way}
        made["security"] = [{name: []} for name in ways]
    # Headers have names that are none in Apex, and each may be left out.
    if parameters := [parameter for parameter in sent.get("parameters", ()) if parameter["in"] != "header"]:
        made["parameters"] = [_parameter(parameter, schemas, place) for parameter in parameters]
    if "requestBody" in sent:
        made["requestBody"] = {
            **sent["requestBody"],
            "content": _content(sent["requestBody"]["content"], schemas, place),
        }
    made["responses"] = {
        status: {
            "description": answer["description"],
            **({"content": _content(answer["content"], schemas, place)} if "content" in answer else {}),
        }
        for status, answer in sent["responses"].items()
    }
    return made


def _parameter(sent: Json, schemas: _Schemas, place: str) -> Json:
    made = {**sent, "schema": schemas.convert(sent["schema"], f"{place}.{sent['name']}")}
    # A parameter is left out, never null; its description stands beside the schema.
    for word in ("nullable", "description"):
        made["schema"].pop(word, None)
    _shorten(made)
    return made


def references(part: Any) -> Iterator[str]:
    """The names of all schemas that a part of a document refers to."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield _name(value)
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def _reached(paths: Json, schemas: Json) -> Json:
    found: set[str] = set()
    waiting = set(references(paths))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting |= set(references(schemas[name]))
    return {name: schemas[name] for name in sorted(found)}


def downgraded(document: Json) -> Json:
    """The 3.0.3 form of a 3.1 document, which is not changed. Raises `NoSuchForm`."""
    schemas = _Schemas(document["components"]["schemas"])
    paths: Json = {}
    for path, operations in document["paths"].items():
        kept = {
            method: _operation(operation, schemas)
            for method, operation in operations.items()
            if _LEFT_OUT_TAG not in operation.get("tags", ())
        }
        if kept:
            paths[path] = kept
    sent = document["components"]["schemas"]
    made = {name: schemas.convert(schema, name) for name, schema in sent.items() if "properties" in schema}
    for name in schemas.nullable:
        made[name]["nullable"] = True
    info = dict(document["info"])
    _shorten(info)
    components: Json = {"schemas": _reached(paths, made)}
    if "securitySchemes" in document["components"]:
        components["securitySchemes"] = document["components"]["securitySchemes"]
    return {"openapi": VERSION, "info": info, "paths": paths, "components": components}

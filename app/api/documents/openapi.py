"""The API's documents; `python -m app.api.documents.openapi` writes them to openapi/.

The one that counts is OpenAPI 3.1. A 3.0.3 and a Swagger 2.0 form are made from it, for platforms that read no 3.1.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api import problems
from app.api.access.scopes import scopes_of
from app.api.documents.asyncapi import asyncapi
from app.api.documents.openapi_3_0 import downgraded
from app.api.documents.swagger_2_0 import swagger
from app.api.problems import Problem
from app.engine.limits import Limits
from app.settings import Settings
from app.store.keys import Scope

FOLDER = Path(__file__).resolve().parents[3] / "openapi"
FILE = FOLDER / "openapi.json"
SECURITY_SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key. Not asked for on a loopback address."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
}


def openapi(application: FastAPI) -> dict[str, Any]:
    """The document of an application, made once."""
    if application.openapi_schema is None:
        document = get_openapi(
            title=application.title,
            version=application.version,
            description=application.description,
            routes=application.routes,
            tags=application.openapi_tags,
        )
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = document["components"]["schemas"]
        schemas |= problem.pop("$defs") | {"Problem": problem}
        _drop_the_frameworks_errors(document)
        document["components"]["schemas"] = dict(sorted(schemas.items()))
        _add_keys(document)
        application.openapi_schema = document
    return application.openapi_schema


def _drop_the_frameworks_errors(document: dict[str, Any]) -> None:
    """FastAPI declares an error of its own for each route with parameters that declares no 422; ours is answered."""
    for operations in document["paths"].values():
        for operation in operations.values():
            answer = operation["responses"].get("422", {})
            schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
            if schema.get("$ref", "").endswith("/HTTPValidationError"):
                operation["responses"]["422"] = problems.declared(422)[422]
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _add_keys(document: dict[str, Any]) -> None:
    """Say of each operation whether it needs a key, and how a key is refused."""
    document["components"]["securitySchemes"] = SECURITY_SCHEMES
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            scopes = sorted(scopes_of(method.upper(), path))
            if not scopes:
                operation["security"] = []
                continue
            # From 3.1 on, scopes may be named for every kind of key.
            several = [[scope] for scope in scopes] if len(scopes) < len(Scope) else [[]]
            operation["security"] = [{name: wanted} for wanted in several for name in SECURITY_SCHEMES]
            answers = operation["responses"]
            for status, answer in problems.declared(401, 403, 429).items():
                answers[str(status)] = answer
            operation["responses"] = dict(sorted(answers.items()))


def _document() -> dict[str, Any]:
    """The document of a server with default limits."""
    from app.api.app import create_app

    # No setting of the environment may move the document.
    return create_app(Settings.model_construct(engine="stub", limits=_default_limits())).openapi()


def _default_limits() -> Limits:
    limits: Limits = Settings.model_fields["limits"].get_default(call_default_factory=True)
    return limits


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def rendered() -> str:
    """The committed 3.1 document."""
    return _text(_document())


def files() -> dict[Path, str]:
    """All committed documents, by the file they belong in."""
    document = _document()
    older = downgraded(document)
    return {
        FILE: _text(document),
        FOLDER / "openapi-3.0.json": _text(older),
        FOLDER / "swagger-2.0.json": _text(swagger(older)),
        FOLDER / "asyncapi.json": _text(asyncapi(_default_limits())),
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")

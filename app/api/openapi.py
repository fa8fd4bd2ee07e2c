"""The API's documents; `python -m app.api.openapi` writes them to openapi/.

The one that counts is OpenAPI 3.1. A 3.0.3 and a Swagger 2.0 form are made from it, for platforms that read no 3.1.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.openapi_3_0 import downgraded
from app.api.problems import Problem
from app.api.swagger_2_0 import swagger
from app.settings import Settings

FOLDER = Path(__file__).resolve().parents[2] / "openapi"
FILE = FOLDER / "openapi.json"


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
        document["components"]["schemas"] = dict(sorted(schemas.items()))
        application.openapi_schema = document
    return application.openapi_schema


def _document() -> dict[str, Any]:
    """The document of a server with default limits."""
    from app.api.app import create_app

    # No setting of the environment may move the document.
    return create_app(
        Settings.model_construct(
            engine="stub", limits=Settings.model_fields["limits"].get_default(call_default_factory=True)
        )
    ).openapi()


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
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")

"""The API's document (OpenAPI 3.1); `python -m app.api.openapi` writes it to openapi/openapi.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.problems import Problem
from app.settings import Settings

FILE = Path(__file__).resolve().parents[2] / "openapi" / "openapi.json"


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


def rendered() -> str:
    """The committed document: that of a server with default limits."""
    from app.api.app import create_app

    # No setting of the environment may move the document.
    document = create_app(
        Settings.model_construct(
            engine="stub", limits=Settings.model_fields["limits"].get_default(call_default_factory=True)
        )
    )
    return json.dumps(document.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(rendered(), encoding="utf-8")

"""The document of WS /v1/stream: AsyncAPI 3.0, made from the models of its frames; `openapi.py` here writes it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from app import __version__
from app.api.live.frames import CLOSE_REASONS, SERVER_FRAMES, client_frames, type_of
from app.api.live.stream import PATH
from app.engine.limits import Limits

_DESCRIPTION = """Scores a conversation while it is spoken. Send `open` first, then a `turn` for each turn and for each
revision of one. The server numbers `score`, `alert`, `final` and `error` frames from 1 on and keeps them until they
are acknowledged with `ack`; whoever lost a socket opens another one with `resume` and gets what it has not seen."""


def asyncapi(limits: Limits) -> dict[str, Any]:
    """The document of a server with these limits."""
    received = {f"client_{name}": model for name, model in client_frames(limits).items()}
    sent = {f"server_{type_of(model)}": model for model in SERVER_FRAMES}
    models: dict[str, type[BaseModel]] = {**received, **sent}
    of_model, defined = models_json_schema(
        [(model, "validation" if name in received else "serialization") for name, model in models.items()],
        ref_template="#/components/schemas/{model}",
    )
    messages: dict[str, Any] = {}
    for name, model in models.items():
        mode: JsonSchemaMode = "validation" if name in received else "serialization"
        messages[name] = {
            "name": type_of(model),
            "title": type_of(model),
            "summary": str(model.__doc__).partition("\n")[0],
            "contentType": "application/json",
            "payload": of_model[model, mode],
        }
    reasons = "\n".join(f"- {code.value}: {reason}" for code, reason in CLOSE_REASONS.items())

    def operation(action: str, names: dict[str, Any], summary: str) -> dict[str, Any]:
        return {
            "action": action,
            "channel": {"$ref": "#/channels/stream"},
            "summary": summary,
            "messages": [{"$ref": f"#/channels/stream/messages/{name}"} for name in names],
        }

    return {
        "asyncapi": "3.0.0",
        "info": {"title": "softsell", "version": __version__, "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {
            "stream": {
                "address": PATH,
                "description": f"A WebSocket (RFC 6455) of text messages, each one frame. It closes with:\n\n{reasons}",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        # From the server's side, as AsyncAPI has it for the application that is described.
        "operations": {
            "receiveFrames": operation("receive", received, "What a client sends."),
            "sendFrames": operation("send", sent, "What the server answers."),
        },
        "components": {"messages": messages, "schemas": dict(sorted(defined.get("$defs", {}).items()))},
    }

"""Reading a JSON body strictly: what two readers could understand in two ways is refused.

Stock parsers let the last of two equal keys win and take NaN for a number. Here both are errors,
as are invalid UTF-8 and nesting without end. `READERS` has one entry a media type: it makes of a
body what the request's model validates.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.api.problems import Refused

JSON = "application/json"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused(400, "an object has the same key twice; send each key once", "duplicate_key")
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Refused(400, "a number is too large; send finite numbers", "number_not_finite")
    return number


def _constant(_: str) -> None:
    raise Refused(400, "NaN and Infinity are not JSON; send finite numbers or leave the field out", "number_not_finite")


def read_json(body: bytes) -> Any:
    """Parse a JSON body. Raises `Refused` with status 400 and a code that says why."""
    if not body.strip():
        raise Refused(400, "the body is empty; send a JSON document")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(400, f"byte {error.start} of the body is not UTF-8; send UTF-8", "invalid_utf8") from None
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise Refused(400, f"not JSON from line {error.lineno}, column {error.colno} on", "invalid_json") from None
    except ValueError:
        raise Refused(400, "an integer has too many digits", "number_too_long") from None
    except RecursionError:
        raise Refused(400, "the document is nested too deep", "too_deep") from None


READERS: Mapping[str, Callable[[bytes], Any]] = {JSON: read_json}


class _DocumentRequest(Request):
    """A request whose body is read by one of `READERS`."""

    async def json(self) -> Any:
        """The body as the reader of its media type gives it."""
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return READERS[media_type](await self.body())


class DocumentRoute(APIRoute):
    """A route that takes a document: any media type without a reader is answered with 415."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the check of the media type."""
        handle = super().get_route_handler()

        async def handle_document(request: Request) -> Response:
            given, _, parameters = request.headers.get("content-type", "").partition(";")
            charset = parameters.lower().replace(" ", "").replace('"', "").partition("charset=")[2].partition(";")[0]
            if given.strip().lower() not in READERS or charset not in ("", "utf-8", "utf8"):
                raise Refused(415, f"send the body as {' or '.join(READERS)}, in UTF-8")
            document = _DocumentRequest(request.scope, request.receive)
            if not await document.body():
                # FastAPI asks for no JSON where there is no body.
                read_json(b"")
            return await handle(document)

        return handle_document

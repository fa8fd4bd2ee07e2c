"""Reading a body: JSON strictly, and any other document as a transcript.

Stock parsers let the last of two equal keys win and take NaN for a number. Here both are errors,
as are invalid UTF-8 and nesting without end. A body that is another system's transcript becomes
the request `{"transcript": …}`, so that one model and one handler serve all.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope

from app.api.problems import Refused
from app.transcripts.reader import Rank
from app.transcripts.registry import json_reader_of

JSON = "application/json"
# What a transcript may be sent as; what it is, its content tells.
TRANSCRIPT_TYPES = (
    "application/octet-stream",
    "application/jsonl",
    "application/x-ndjson",
    "application/vcon",
    "application/vcon+json",
    "application/x-subrip",
    "application/vnd.apache.parquet",
    "text/plain",
    "text/vtt",
    "text/csv",
    "text/tab-separated-values",
)


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


def _read_request(body: bytes) -> Any:
    """A request, or another system's JSON as the request to score it."""
    value = read_json(body)
    reader = json_reader_of(value, Rank.SPECIFIC)
    return {"transcript": value} if reader else value


def _read_transcript(body: bytes) -> Any:
    return {"transcript": body}


READERS: Mapping[str, Callable[[bytes], Any]] = {
    JSON: _read_request,
    **dict.fromkeys(TRANSCRIPT_TYPES, _read_transcript),
}


class _DocumentRequest(Request):
    """A request whose body is read by one of `READERS`, by the media type with which it came."""

    def __init__(self, scope: Scope, receive: Receive, sent_as: str) -> None:
        super().__init__(scope, receive)
        self._sent_as = sent_as

    async def json(self) -> Any:
        """The body as the reader of its media type gives it."""
        return READERS[self._sent_as](await self.body())


def media_type(request: Request) -> str:
    """The media type of a body, without parameters and in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


class DocumentRoute(APIRoute):
    """A route that takes a document: any media type without a reader is answered with 415."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the check of the media type."""
        handle = super().get_route_handler()

        async def handle_document(request: Request) -> Response:
            _, _, parameters = request.headers.get("content-type", "").partition(";")
            charset = parameters.lower().replace(" ", "").replace('"', "").partition("charset=")[2].partition(";")[0]
            if media_type(request) not in READERS or charset not in ("", "utf-8", "utf8"):
                known = ", ".join(TRANSCRIPT_TYPES)
                raise Refused(415, f"send JSON as {JSON} and another transcript as one of {known}, in UTF-8")
            # FastAPI asks `json()` for the body only where the header says JSON.
            headers = [pair for pair in request.scope["headers"] if pair[0] != b"content-type"]
            scope = {**request.scope, "headers": [*headers, (b"content-type", JSON.encode())]}
            document = _DocumentRequest(scope, request.receive, media_type(request))
            if not await document.body():
                # FastAPI asks for no JSON where there is no body.
                read_json(b"")
            return await handle(document)

        return handle_document


class _JsonRequest(Request):
    """A request whose body is read strictly."""

    async def json(self) -> Any:
        """The body, see `read_json`."""
        return read_json(await self.body())


class JsonRoute(APIRoute):
    """A route that takes JSON alone, or nothing: any other media type is answered with 415."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the check of the media type."""
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            document = _JsonRequest(request.scope, request.receive)
            if self.body_field is not None:
                if media_type(request) != JSON:
                    raise Refused(415, f"send JSON, as {JSON}")
                if not await document.body():
                    # FastAPI asks for no JSON where there is no body.
                    read_json(b"")
            return await handle(document)

        return handle_json

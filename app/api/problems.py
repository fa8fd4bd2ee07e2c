"""Every error as a problem document (RFC 9457), from one table.

A problem says what to do next and never repeats what the caller sent: requests carry transcripts,
and error bodies end up in other people's logs. Places are named by JSON pointers (RFC 6901) made of
softsell's own field names and of list indices.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from app.core.errors import (
    DeadlineExceeded,
    InvalidConversation,
    InvalidRelease,
    LimitExceeded,
    ModelFailed,
    Overloaded,
    SoftsellError,
    StoreUnavailable,
    UnreadableTranscript,
)
from app.store.webhooks import InvalidWebhook

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 20
_WITH_A_WAIT = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS})
_TYPE = "urn:softsell:problem:"
# A longer name is no slip of the pen for one of softsell's.
_LONGEST_SLIP = 40
_DETAILS = {
    "missing": "required field is missing",
    "string_type": "send a string",
    "string_unicode": "contains half of a surrogate pair; send whole characters",
    "int_type": "send an integer",
    "bool_type": "send true or false",
    "list_type": "send an array",
    "dict_type": "send an object",
    "model_type": "send an object",
    "model_attributes_type": "send an object",
}
_SIZE_ERRORS = frozenset({"too_long", "string_too_long"})


# The field names of each object in a request, by the field names that lead to it.
Fields = Mapping[tuple[str, ...], tuple[str, ...]]


class NotReady(SoftsellError):
    """The model is not loaded yet, or does not work at present."""

    code = "not_ready"


class KeyRefused(SoftsellError):
    """No key came, or one that is not valid, or not any longer."""

    code = "key_refused"


class ScopeMissing(SoftsellError):
    """The key is valid, but not for this."""

    code = "scope_missing"

    def __init__(self, message: str, scope: str) -> None:
        super().__init__(message)
        self.scope = scope


class RateLimited(SoftsellError):
    """The key has used up what it may use in a minute; there is more after `retry_after_s` seconds."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Row(NamedTuple):
    """How an error is told over HTTP."""

    status: HTTPStatus
    title: str


# The one table from error to status. A class without a row has that of its nearest ancestor.
TABLE: Mapping[type[SoftsellError], Row] = {
    LimitExceeded: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "The conversation exceeds a limit"),
    InvalidConversation: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "The conversation is not valid"),
    UnreadableTranscript: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "The transcript cannot be read"),
    InvalidWebhook: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "The webhook cannot be as asked for"),
    KeyRefused: Row(HTTPStatus.UNAUTHORIZED, "A valid key is needed"),
    ScopeMissing: Row(HTTPStatus.FORBIDDEN, "The key does not allow this"),
    RateLimited: Row(HTTPStatus.TOO_MANY_REQUESTS, "The key's rate is used up"),
    Overloaded: Row(HTTPStatus.SERVICE_UNAVAILABLE, "The server is busy"),
    NotReady: Row(HTTPStatus.SERVICE_UNAVAILABLE, "The server is not ready"),
    StoreUnavailable: Row(HTTPStatus.SERVICE_UNAVAILABLE, "The store does not work"),
    InvalidRelease: Row(HTTPStatus.SERVICE_UNAVAILABLE, "The model release cannot be used"),
    DeadlineExceeded: Row(HTTPStatus.GATEWAY_TIMEOUT, "The conversation was not scored in time"),
    ModelFailed: Row(HTTPStatus.INTERNAL_SERVER_ERROR, "The model failed"),
    SoftsellError: Row(HTTPStatus.INTERNAL_SERVER_ERROR, "The request failed"),
}

# Refusals before a conversation is read, and those of the router, by status: code, title, what to do.
_BY_STATUS: Mapping[int, tuple[str, str, str]] = {
    400: ("invalid_body", "The body cannot be read", "send a valid JSON document"),
    404: ("not_found", "There is nothing at this address", "see /docs for the addresses"),
    405: ("method_not_allowed", "This address takes another method", "see the Allow header"),
    406: ("not_acceptable", "The answer is not to be had in this form", "ask for another form"),
    409: ("conflict", "The request does not fit what is there at present", "see detail"),
    408: ("body_timeout", "The body did not arrive in time", "send the request again"),
    413: ("body_too_large", "The body is too large", "send a smaller body"),
    415: ("unsupported_media_type", "The body is of a kind not read here", "send application/json, not compressed"),
    410: ("gone", "What was here is no longer", "see detail"),
    416: ("range_not_satisfiable", "There is nothing in this range", "ask for a range within the file"),
    422: ("invalid_request", "The request is not valid", "see errors"),
    431: ("header_too_large", "The header is too large", "send fewer or shorter header fields"),
    500: ("internal_error", "Something in softsell failed", "try again; if it persists, report the request_id"),
}


class FieldError(BaseModel):
    """One thing to put right."""

    pointer: str = Field(description="Where, as a JSON pointer into the request body (RFC 6901).")
    detail: str = Field(description="What is wrong there, and what is accepted.")


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(description="A stable URI for this kind of problem, `urn:softsell:problem:` and the code.")
    title: str = Field(description="The kind of problem in a few words.")
    status: int = Field(description="The HTTP status, repeated.")
    code: str = Field(description="A stable code to branch on.")
    detail: str = Field(description="What happened and what to do next.")
    request_id: str = Field(description="Quote it in a report; it is also in the X-Request-ID header and the log.")
    errors: list[FieldError] = Field(
        description="For an invalid request, at most 20 things to put right.", max_length=MOST_ERRORS
    )
    retry_after_s: int | None = Field(
        default=None, description="Where trying again helps: seconds to wait before, as in the Retry-After header."
    )


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Responses of a route for its API document; each carries a `Problem`."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        titles = [_BY_STATUS[status][1]] if status in _BY_STATUS else []
        titles += [row.title for row in TABLE.values() if row.status == status]
        found[status] = {"description": ", or: ".join(titles), "content": content}
        if status in _WITH_A_WAIT:
            found[status]["headers"] = {
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
            }
    return found


class Refused(HTTPException):
    """A refusal of the transport: size, time, encoding, syntax. `code` goes into the problem."""

    def __init__(self, status: int, detail: str, code: str | None = None) -> None:
        super().__init__(status, detail)
        self.code = code or _BY_STATUS[status][0]


def response(
    request_id: str,
    status: int,
    detail: str = "",
    *,
    code: str | None = None,
    title: str | None = None,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    retry_after_s: int | None = None,
) -> JSONResponse:
    """A problem as a response; what is left out comes from the status."""
    usual = _BY_STATUS.get(status) or (f"http_{status}", HTTPStatus(status).phrase, "see /docs")
    code = code or usual[0]
    problem = Problem(
        type=_TYPE + code,
        title=title or usual[1],
        status=status,
        code=code,
        detail=detail or usual[2],
        request_id=request_id,
        errors=list(errors),
        retry_after_s=retry_after_s,
    )
    if retry_after_s is not None:
        headers = {**(headers or {}), "Retry-After": str(retry_after_s)}
    # What there is no value for is left out, never null.
    return JSONResponse(problem.model_dump(exclude_none=True), status, headers, MEDIA_TYPE)


def _known_part(location: Iterable[int | str], fields: Fields) -> tuple[str, tuple[str, ...]]:
    """The pointer to the deepest place of softsell's own names, and the field names on the way."""
    pointer = ""
    place: tuple[str, ...] = ()
    for part in location:
        if isinstance(part, str):
            if part not in fields.get(place, ()):
                # The caller's own key, such as one of `metadata`.
                break
            place = (*place, part)
        pointer += f"/{part}"
    return pointer, place


def field_error(error: Mapping[str, Any], fields: Fields) -> FieldError:
    """One of pydantic's errors without its input: a name that softsell does not know is never repeated."""
    location = error["loc"][1:]
    pointer, place = _known_part(location, fields)
    if error["type"] != "extra_forbidden":
        return FieldError(pointer=pointer, detail=_DETAILS.get(error["type"], error["msg"]))
    name, known = str(location[-1]), fields.get(place, ())
    close = difflib.get_close_matches(name, known, n=1) if len(name) <= _LONGEST_SLIP else []
    hint = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"
    return FieldError(pointer=pointer, detail=f"unknown field; {hint}")


def of_error(request_id: str, error: SoftsellError, turns: str = "/conversation/turns") -> JSONResponse:
    """The problem of one of softsell's own errors; `turns` points to the turns in the request."""
    row = next(TABLE[cls] for cls in type(error).__mro__ if cls in TABLE)
    wait_s = error.retry_after_s if isinstance(error, Overloaded | RateLimited) else 1
    waiting_s = wait_s if row.status in _WITH_A_WAIT else None
    turn = error.turn if isinstance(error, InvalidConversation) else None
    errors = [] if turn is None else [FieldError(pointer=f"{turns}/{turn}/text", detail=str(error))]
    return response(
        request_id,
        row.status,
        str(error),
        code=error.code,
        title=row.title,
        errors=errors,
        retry_after_s=waiting_s,
    )


class Invalid(NamedTuple):
    """What does not fit the schema, as it is told."""

    code: str
    detail: str
    errors: list[FieldError]


def told_invalid(found: Sequence[Mapping[str, Any]], fields: Fields) -> Invalid:
    """How pydantic's errors of one request are told."""
    errors = [field_error(item, fields) for item in found[:MOST_ERRORS]]
    surplus = f"; the first {MOST_ERRORS} of {len(found)} are listed" if len(found) > MOST_ERRORS else ""
    if all(item["type"] in _SIZE_ERRORS for item in found):
        return Invalid(LimitExceeded.code, f"send less; errors says where and how much{surplus}", errors)
    return Invalid(_BY_STATUS[422][0], f"put right what errors names{surplus}", errors)


def of_validation(request_id: str, error: RequestValidationError, fields: Fields) -> JSONResponse:
    """The problem of a request that does not fit the schema."""
    told = told_invalid(error.errors(), fields)
    title = TABLE[LimitExceeded].title if told.code == LimitExceeded.code else None
    return response(request_id, 422, told.detail, code=told.code, title=title, errors=told.errors)


def request_id_of(request: Request) -> str:
    """The id that `app.api.ledger` gave to the request."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def of_http(request: Request, error: StarletteHTTPException) -> JSONResponse:
    """The problem of a refusal by the router, by a guard or by the body's reader."""
    refused = isinstance(error, Refused)
    return response(
        request_id_of(request),
        error.status_code,
        error.detail if refused else "",
        code=error.code if isinstance(error, Refused) else None,
        headers=error.headers,
    )

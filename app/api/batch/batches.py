"""Batches over HTTP: conversations sent together, scored when there is time, and fetched later.

Nothing of a batch is held in memory: its lines go to the store as they come in, and its results are files.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.responses import MalformedRangeHeader, RangeNotSatisfiable

from app.api import problems
from app.api.access.tenant import tenant_of
from app.api.batch.answers import BatchAnswer, BatchList, batch_answer
from app.api.batch.desk import BatchDesk
from app.api.batch.receiver import Receiver, checked_key
from app.api.batch.work import OF_DOCUMENTS
from app.api.bodies import media_type
from app.api.conversations import cursor_of, place_of
from app.api.problems import Refused
from app.api.runtime import Runtime
from app.api.transcripts import FormatQuery, RolesQuery, checked_format
from app.core.errors import StoreUnavailable
from app.jobs.files import ERRORS, JSONL, RESULTS
from app.store.batches import CANCELLED, CANCELLING, FINAL
from app.store.conversations import Place
from app.store.tables import Batch
from app.transcripts.intake import parse_roles
from app.transcripts.registry import AUTO

LINES = ("application/jsonl", "application/x-ndjson")
_FORM_DATA = "multipart/form-data"
_MEDIA_TYPES = {JSONL: LINES[0], "csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
_MOST_LISTED = 100
_NONE = "there is no batch of this id; it was never sent, or has been deleted"

_FormQuery = Annotated[
    Literal["jsonl", "csv", "parquet"] | None,
    Query(alias="format", description="The form; else by Accept, else jsonl."),
]


async def _known(runtime: Runtime, desk: BatchDesk, request: Request, batch_id: str) -> Batch:
    batch = await runtime.keeper.run(desk.batches.get, tenant_of(request), batch_id)
    if batch is None:
        raise Refused(404, _NONE)
    return batch


class _ResultResponse(FileResponse):
    """A file, or a part of it; what is wrong with a range is a problem document (RFC 9110, section 14.2)."""

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        try:
            return super()._parse_range_header(http_range, file_size)
        except MalformedRangeHeader:
            # Such a header is ignored, and the whole file answered.
            return []
        except RangeNotSatisfiable:
            refusal = Refused(416, f"the file has {file_size} bytes; ask for a range within them")
            refusal.headers = {"Content-Range": f"bytes */{file_size}"}
            raise refusal from None


def _accepted(accept: str) -> str:
    """The form that an Accept header asks for; JSON Lines where it asks for none of them."""
    wanted = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return next((form for kind in wanted for form, known in _MEDIA_TYPES.items() if kind == known), JSONL)


def router(runtime: Runtime, desk: BatchDesk) -> APIRouter:
    """The routes of this noun."""
    routes = APIRouter(tags=["batches"])
    keeper, batches = runtime.keeper, desk.batches

    @routes.post(
        "/v1/batches",
        operation_id="createBatch",
        summary="Send conversations to be scored later",
        status_code=HTTPStatus.ACCEPTED,
        response_model=BatchAnswer,
        responses=problems.declared(400, 408, 409, 413, 415, 422, 500, 503),
        openapi_extra={"requestBody": _BODY},
    )
    async def create(
        request: Request,
        evidence: Annotated[bool, Query(description="Whether to name the words that show each label.")] = True,
        turns: Annotated[bool, Query(description="Whether to answer with each turn's score.")] = True,
        redact: Annotated[bool, Query(description="Whether to mask who is spoken of in the results.")] = False,
        store: Annotated[bool, Query(description="Whether to store each answer, as `POST /v1/score` does.")] = False,
        store_text: Annotated[bool, Query(description="Whether to store what was said as well.")] = False,
        only: FormatQuery = AUTO,
        roles: RolesQuery = None,
        idempotency_key: Annotated[
            str | None,
            Header(description="The same key with the same body is the same batch, however often it is sent."),
        ] = None,
    ) -> JSONResponse:
        """JSON Lines, each `{"custom_id": …, "conversation": …, "options": …}`, or files of any known format.

        A line is a request to `POST /v1/score` with a `custom_id`; options in it win over those in the query. An item
        whose `custom_id` came before in the batch is an error, and so is what cannot be read; the rest is scored. What
        was sent is erased as each conversation is scored.
        """
        sent_as = media_type(request)
        if sent_as not in (*LINES, _FORM_DATA):
            raise Refused(415, f"send JSON Lines as one of {', '.join(LINES)}, or files as {_FORM_DATA}")
        if store_text and not store:
            raise Refused(422, "`store_text` needs `store`; send both or neither")
        options = {
            "evidence": evidence,
            "turns": turns,
            "redact": redact,
            "store": store,
            "store_text": store_text,
            OF_DOCUMENTS: sent_as == _FORM_DATA,
        }
        receiver = Receiver(runtime, desk, request, options)
        batch_id = await receiver.receive(checked_key(idempotency_key), parse_roles(roles or []), checked_format(only))
        desk.wake()
        answer = batch_answer(await _known(runtime, desk, request, batch_id))
        return JSONResponse(answer.model_dump(mode="json"), 202, {"Location": f"/v1/batches/{batch_id}"})

    @routes.get(
        "/v1/batches",
        operation_id="listBatches",
        summary="List batches",
        responses=problems.declared(422, 500, 503),
    )
    async def page(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=_MOST_LISTED, description="How many at most.")] = 20,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the answer before.")] = None,
    ) -> BatchList:
        """The newest first."""
        found = await keeper.run(batches.page, tenant_of(request), place_of(cursor), limit + 1)
        listed = found[:limit]
        more = cursor_of(Place(listed[-1].created_at, listed[-1].id)) if len(found) > limit else None
        return BatchList(batches=[batch_answer(batch) for batch in listed], next_cursor=more)

    @routes.get(
        "/v1/batches/{batch_id}",
        operation_id="getBatch",
        summary="Get a batch",
        responses=problems.declared(404, 500, 503),
    )
    async def get(request: Request, batch_id: str) -> BatchAnswer:
        """How far it is."""
        return batch_answer(await _known(runtime, desk, request, batch_id))

    @routes.post(
        "/v1/batches/{batch_id}/cancel",
        operation_id="cancelBatch",
        summary="Cancel a batch",
        responses=problems.declared(404, 409, 500, 503),
    )
    async def cancel(request: Request, batch_id: str) -> BatchAnswer:
        """Score no more of it; what has been scored can be fetched. Once more does no harm."""
        await _known(runtime, desk, request, batch_id)
        batch = await keeper.run(batches.cancel, tenant_of(request), batch_id)
        if batch is None:
            raise Refused(404, _NONE)
        if batch.status not in (CANCELLING, CANCELLED):
            raise Refused(409, f"a batch that is {batch.status} cannot be cancelled", "batch_not_in_progress")
        desk.wake()
        return batch_answer(batch)

    _add_files(routes, runtime, desk)
    return routes


def _add_files(routes: APIRouter, runtime: Runtime, desk: BatchDesk) -> None:
    """The routes of results and errors."""

    async def file(request: Request, batch_id: str, kind: str, form: str | None) -> Response:
        batch = await _known(runtime, desk, request, batch_id)
        if batch.status not in FINAL:
            raise Refused(409, f"the batch is {batch.status}; ask again when it is final", "batch_not_final")
        form = form or _accepted(request.headers.get("accept", ""))
        try:
            found = await runtime.keeper.run(desk.files.get, batch_id, kind, form)
        except ImportError as error:
            raise Refused(406, f"{form} needs the package {error.name} on the server; ask for jsonl or csv") from None
        except OSError as error:
            detail = f"the file cannot be made ({error.strerror}); see SOFTSELL_DATA_DIR on the server"
            raise StoreUnavailable(detail, "full") from None
        headers = {"ETag": found.etag, "Vary": "Accept", "Cache-Control": "private, no-cache"}
        if found.etag in [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        return _ResultResponse(
            found.path, media_type=_MEDIA_TYPES[form], filename=f"{batch_id}-{kind}.{form}", headers=headers
        )

    of_file: Mapping[str, Any] = {
        "response_class": FileResponse,
        "responses": problems.declared(404, 406, 409, 416, 422, 500, 503)
        | {
            200: {"content": {kind: {"schema": {"type": "string"}} for kind in _MEDIA_TYPES.values()}},
            206: {"description": "The part that Range asked for."},
        },
    }

    @routes.get(
        "/v1/batches/{batch_id}/results", operation_id="getBatchResults", summary="Get a batch's scores", **of_file
    )
    async def results(request: Request, batch_id: str, form: _FormQuery = None) -> Response:
        """In the order sent, one line each: `{"custom_id": …, "response": {"status_code": 200, "body": …}}`.

        The same bytes each time; parts of them can be asked for with Range.
        """
        return await file(request, batch_id, RESULTS, form)

    @routes.get(
        "/v1/batches/{batch_id}/errors",
        operation_id="getBatchErrors",
        summary="Get what of a batch was not scored",
        **of_file,
    )
    async def errors(request: Request, batch_id: str, form: _FormQuery = None) -> Response:
        """In the order sent, one line each: `{"custom_id": …, "line": …, "error": {"code": …, "detail": …}}`."""
        return await file(request, batch_id, ERRORS, form)


_BODY: dict[str, Any] = {
    "required": True,
    "description": "JSON Lines, or files of transcripts of any known format.",
    "content": {
        **{
            kind: {
                "schema": {"type": "string"},
                "example": '{"custom_id": "c-17", "conversation": {"turns": [{"role": "agent", "text": "Hello."}]}}\n',
            }
            for kind in LINES
        },
        _FORM_DATA: {
            "schema": {
                "type": "object",
                "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
            }
        },
    },
}

"""POST /v1/score: a conversation or a transcript in, its score out."""

import asyncio
from collections.abc import Awaitable, Mapping
from functools import partial
from itertools import islice
from typing import Annotated, TypeVar

from fastapi import APIRouter, Body, Request
from starlette.requests import ClientDisconnect

from app.api import problems
from app.api.access.tenant import caller_of, scope_of, tenant_of
from app.api.bodies import DocumentRoute
from app.api.conversations import check_storable, to_store
from app.api.requests import EXAMPLES, ScoreBody
from app.api.runtime import Runtime
from app.api.schemas import ScoreAnswer, score_answer
from app.api.transcripts import FormatQuery, RedactQuery, RolesQuery, checked_format
from app.core.conversation import Conversation, Role
from app.core.errors import UnreadableTranscript
from app.core.labels import LABEL_SET_VERSION
from app.privacy.masks import redacted
from app.transcripts.document import Document
from app.transcripts.guess import guess
from app.transcripts.intake import Taken, parse_roles, take, take_value
from app.transcripts.registry import AUTO

T = TypeVar("T")


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled when the caller hangs up."""
    working, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        gone.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


def transcribed(sent: ScoreBody, only: str, roles: Mapping[str, Role]) -> tuple[Taken, Conversation]:
    """The one conversation of a request's transcript.

    Raises:
        UnreadableTranscript: if it cannot be read, or holds more than one.
    """
    value = sent.transcript
    if isinstance(value, str | bytes):
        # A lone surrogate in a JSON string is left for the reader to refuse.
        content = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        taken = take(Document.of(content), roles, only, guess)
    else:
        taken = take_value(value, roles, only, guess)
    found = list(islice(taken, 2))
    if len(found) > 1:
        raise UnreadableTranscript("the transcript holds more than one conversation; send one at a time")
    (only_one,) = found
    if isinstance(only_one.outcome, UnreadableTranscript):
        raise only_one.outcome
    return only_one, only_one.outcome


def router(runtime: Runtime, body: type[ScoreBody]) -> APIRouter:
    """The routes of this noun; `body` is the request model with this server's bounds."""
    routes = APIRouter(tags=["scores"], route_class=DocumentRoute)

    @routes.post(
        "/v1/score",
        operation_id="score",
        summary="Score a conversation",
        responses=problems.declared(400, 408, 413, 415, 422, 500, 503, 504),
    )
    async def score(
        request: Request,
        sent: Annotated[body, Body(openapi_examples=EXAMPLES)],  # type: ignore[valid-type]
        only: FormatQuery = AUTO,
        roles: RolesQuery = None,
        redact: RedactQuery = False,
    ) -> ScoreAnswer:
        """Mis-selling risk with its categories and evidence, empathy, good practice and customer signals.

        A transcript of another system may be sent as the body itself; `format`, `roles` and `redact` then stand in
        the query.
        """
        given: ScoreBody = sent
        taken = None
        if given.conversation is not None:
            conversation = given.parsed()
        else:
            named = given.format if only == AUTO else checked_format(only)
            taken, conversation = await asyncio.to_thread(
                transcribed, given, named, given.roles | parse_roles(roles or [])
            )
        if given.options.store:
            check_storable(conversation)
        runtime.charge(caller_of(request), len(conversation.turns))
        result = await unless_gone(
            request, runtime.score(conversation, evidence=given.options.evidence, scope=scope_of(request))
        )
        written = partial(
            score_answer,
            model_version=runtime.service.model_version,
            label_set_version=LABEL_SET_VERSION,
            turns=given.options.turns,
            taken=taken,
        )
        # A long call takes long enough to mask, and its answer to write, that others would notice.
        redaction = await asyncio.to_thread(redacted, conversation) if redact or given.options.redact else None
        answer = await asyncio.to_thread(written, conversation, result, redaction=redaction)
        if not given.options.store:
            return answer
        kept = answer
        if redaction:
            # What is stored has the masked text alone, so its evidence counts in that.
            conversation, masked = redaction.conversation, redaction.masked_score(result)
            kept = await asyncio.to_thread(written, conversation, masked, redaction=redaction.settled())
        stored, kept = await asyncio.to_thread(
            to_store, conversation, kept, tenant_of(request), store_text=given.options.store_text
        )
        answer = answer.model_copy(update={"conversation_id": kept.conversation_id})
        expires_at = await runtime.keeper.run(runtime.keeper.conversations.put, stored)
        return answer.model_copy(update={"stored": True, "expires_at": expires_at})

    return routes

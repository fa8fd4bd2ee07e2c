"""Stored conversations over HTTP: get, list, export and erase; and how a scored one is stored.

A stored result holds no words of the conversation. Where its text is stored too, the words of its
evidence are cut from there; else they are empty.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field

from app.api import problems
from app.api.access.tenant import tenant_of
from app.api.problems import Refused
from app.api.runtime import Runtime
from app.api.schemas import ScoreAnswer
from app.core.calibration import Band
from app.core.conversation import Conversation, Role
from app.core.errors import InvalidConversation
from app.store.conversations import Person, Place
from app.store.tables import StoredConversation

# Keys of a conversation's metadata by which what is held on a person is found.
CUSTOMER_KEY, AGENT_KEY = "customer_id", "agent_id"
_MOST_LISTED = 100
_JSON_LINES = "application/jsonl"

_CustomerQuery = Annotated[str | None, Query(description="The `customer_id` that was sent in the metadata.")]
_AgentQuery = Annotated[str | None, Query(description="The `agent_id` that was sent in the metadata.")]


class StoredHead(BaseModel):
    """A stored conversation without its content."""

    conversation_id: str = Field(description="Your id, or the one that was made for it.")
    customer_id: str | None = Field(description="From the metadata.")
    agent_id: str | None = Field(description="From the metadata.")
    created_at: datetime = Field(description="When it was stored.")
    expires_at: datetime = Field(description="When it is deleted.")
    model_version: str = Field(description="The release that scored it.")
    label_set_version: str = Field(description="The version of the definitions that it was scored by.")
    risk: float | None = Field(description="Mis-selling risk; null where it abstained.")
    band: Band | None = Field(description="Its band; null where it abstained.")
    empathy: float | None = Field(description="The score of empathy; null where it abstained.")


class StoredTurn(BaseModel):
    """A turn as it was sent."""

    id: str = Field(description="As sent; the turn's index if none was.")
    role: Role = Field(description="Who spoke.")
    text: str = Field(description="What was said or written.")
    speaker: str | None = Field(description="Who spoke, as your system names them.")
    start_ms: int | None = Field(description="When the turn began, in ms from the start.")
    end_ms: int | None = Field(description="When the turn ended, in ms.")


class StoredAnswer(StoredHead):
    """A stored conversation."""

    result: ScoreAnswer = Field(
        description="The answer of back then. Without stored text, its evidence has places and no words, and its "
        "source no names."
    )
    turns: list[StoredTurn] | None = Field(description="What was said; null unless store_text was asked for.")


class StoredList(BaseModel):
    """Some of a person's stored conversations."""

    conversations: list[StoredHead] = Field(description="The newest first.")
    next_cursor: str | None = Field(description="Send it as `cursor` for those that follow; null if there are none.")


class Erased(BaseModel):
    """That a conversation was erased."""

    conversation_id: str = Field(description="Which one.")
    backups_until: datetime = Field(
        description="Until when a backup may still hold it; `softsell db restore` erases it again."
    )


def check_id(id_: str) -> None:
    """Raise `InvalidConversation` if nothing can be stored, and found again, by this id."""
    if not id_.isprintable() or {".", ".."} & set(id_.split("/")):
        raise InvalidConversation("a conversation's id cannot be part of an address; take another to store it by")


def check_storable(conversation: Conversation) -> None:
    """Raise `InvalidConversation` if a conversation could not be found again by its ids."""
    check_id(conversation.id or "")
    for key in (CUSTOMER_KEY, AGENT_KEY):
        if not conversation.metadata.get(key, "").isprintable():
            raise InvalidConversation(f"`{key}` in the metadata has characters that no id has; send it without them")


def to_store(
    conversation: Conversation, answer: ScoreAnswer, tenant: str, *, store_text: bool
) -> tuple[StoredConversation, ScoreAnswer]:
    """What is stored of a scored conversation, and the answer with its id, which is made if it has none."""
    id_ = conversation.id or uuid.uuid4().hex
    answer = answer.model_copy(update={"conversation_id": id_})
    result = answer.model_dump(
        mode="json",
        exclude={"stored": True, "expires_at": True, "turns": {"__all__": {"evidence": {"__all__": {"text"}}}}},
    )
    if source := result["source"]:
        source["categories"] = []
        for speaker in source["speakers"]:
            speaker["speaker"] = None
    turns = [
        StoredTurn(
            id=turn.id,
            role=turn.role,
            text=turn.text,
            speaker=turn.speaker,
            start_ms=turn.start_ms,
            end_ms=turn.end_ms,
        ).model_dump(mode="json")
        for turn in (conversation.turns if store_text else ())
    ]
    stored = StoredConversation(
        tenant=tenant,
        id=id_,
        customer_id=conversation.metadata.get(CUSTOMER_KEY) or None,
        agent_id=conversation.metadata.get(AGENT_KEY) or None,
        model_version=answer.model_version,
        label_set_version=answer.label_set_version,
        risk=answer.mis_selling.risk if answer.mis_selling else None,
        band=answer.mis_selling.band if answer.mis_selling else None,
        empathy=answer.empathy.score if answer.empathy else None,
        result=result,
        text={"turns": turns} if store_text else None,
    )
    return stored, answer


def _instant(moment: datetime) -> str:
    """As pydantic writes it in other answers."""
    return moment.isoformat().replace("+00:00", "Z")


def _head(stored: StoredConversation) -> dict[str, Any]:
    return {
        "conversation_id": stored.id,
        "customer_id": stored.customer_id,
        "agent_id": stored.agent_id,
        "created_at": _instant(stored.created_at),
        "expires_at": _instant(stored.expires_at),
        "model_version": stored.model_version,
        "label_set_version": stored.label_set_version,
        "risk": stored.risk,
        "band": stored.band,
        "empathy": stored.empathy,
    }


def stored_answer(stored: StoredConversation) -> dict[str, Any]:
    """The wire form of a stored conversation, see `StoredAnswer`.

    The result is passed on as it was stored: an older release's has the fields of back then.
    """
    turns = stored.text["turns"] if stored.text else None
    result = {**stored.result, "stored": True, "expires_at": _instant(stored.expires_at)}
    for index, turn in enumerate(result["turns"]):
        for span in turn["evidence"]:
            span["text"] = turns[index]["text"][span["start"] : span["end"]] if turns else ""
    return {**_head(stored), "result": result, "turns": turns}


def _person(customer_id: str | None, agent_id: str | None) -> Person:
    given = customer_id if agent_id is None else agent_id
    if given is None or not given.isprintable() or (customer_id is not None and agent_id is not None):
        raise Refused(422, "send either customer_id or agent_id in the query, as it was sent in the metadata")
    return Person(given, is_agent=agent_id is not None)


def cursor_of(place: Place) -> str:
    """What a list goes on from, for the wire."""
    return base64.urlsafe_b64encode(json.dumps([place.created_at.isoformat(), place.id]).encode()).decode()


def place_of(cursor: str | None) -> Place | None:
    """The same back. Raises `Refused`."""
    if cursor is None:
        return None
    try:
        instant, id_ = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        created_at = datetime.fromisoformat(instant)
        if created_at.tzinfo is None or not isinstance(id_, str) or not id_.isprintable():
            raise ValueError
        return Place(created_at, id_)
    except (ValueError, TypeError, binascii.Error, RecursionError, OverflowError):
        raise Refused(422, "cursor is not one of softsell's; send next_cursor as it was answered") from None


def _lines(first: StoredConversation | None, others: Iterator[StoredConversation]) -> Iterator[bytes]:
    if first is None:
        return
    yield json.dumps(stored_answer(first)).encode() + b"\n"
    for stored in others:
        yield json.dumps(stored_answer(stored)).encode() + b"\n"


def router(runtime: Runtime) -> APIRouter:
    """The routes of this noun."""
    routes = APIRouter(tags=["conversations"])
    keeper = runtime.keeper
    none = "no conversation is stored under this id; it was never stored, has expired, or was erased"

    @routes.get(
        "/v1/conversations",
        operation_id="listConversations",
        summary="List what is stored on a customer or an agent",
        response_model=StoredList,
        responses=problems.declared(422, 500, 503),
    )
    async def page(
        request: Request,
        customer_id: _CustomerQuery = None,
        agent_id: _AgentQuery = None,
        limit: Annotated[int, Query(ge=1, le=_MOST_LISTED, description="How many at most.")] = 20,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the answer before.")] = None,
    ) -> JSONResponse:
        """The newest first, without content."""
        person, after = _person(customer_id, agent_id), place_of(cursor)
        found = await keeper.run(keeper.conversations.page, tenant_of(request), person, after, limit + 1)
        listed = found[:limit]
        more = cursor_of(Place(listed[-1].created_at, listed[-1].id)) if len(found) > limit else None
        return JSONResponse({"conversations": [_head(stored) for stored in listed], "next_cursor": more})

    @routes.get(
        "/v1/export",
        operation_id="exportConversations",
        summary="Export all that is stored on a customer or an agent",
        response_class=StreamingResponse,
        responses=problems.declared(422, 500, 503)
        | {200: {"content": {_JSON_LINES: {"schema": {"type": "string"}}}, "description": "Stored conversations."}},
    )
    async def export(
        request: Request, customer_id: _CustomerQuery = None, agent_id: _AgentQuery = None
    ) -> StreamingResponse:
        """JSON lines, one stored conversation each, the oldest first; empty if nothing is stored."""
        held = keeper.conversations.export(tenant_of(request), _person(customer_id, agent_id))
        # Before the answer begins, so that a store that does not work is still a problem document.
        first = await keeper.run(next, held, None)
        return StreamingResponse(_lines(first, held), media_type=_JSON_LINES)

    # Ids may hold slashes, sent as they are or as %2F.
    @routes.get(
        "/v1/conversations/{conversation_id:path}",
        operation_id="getConversation",
        summary="Get a stored conversation",
        response_model=StoredAnswer,
        responses=problems.declared(404, 422, 500, 503),
    )
    async def get(request: Request, conversation_id: str) -> JSONResponse:
        """Its score, and what was said if that was stored too."""
        check_id(conversation_id)
        found = await keeper.run(keeper.conversations.get, tenant_of(request), conversation_id)
        if found is None:
            raise Refused(404, none)
        return JSONResponse(stored_answer(found))

    @routes.delete(
        "/v1/conversations/{conversation_id:path}",
        operation_id="eraseConversation",
        summary="Erase a stored conversation",
        responses=problems.declared(404, 422, 500, 503),
    )
    async def erase(request: Request, conversation_id: str) -> Erased:
        """No byte of it is left in the store's files; the answer says until when a backup may hold it."""
        check_id(conversation_id)
        until = await keeper.run(keeper.conversations.erase, tenant_of(request), conversation_id)
        if until is None:
            raise Refused(404, none)
        return Erased(conversation_id=conversation_id, backups_until=until)

    return routes

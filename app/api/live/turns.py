"""POST /v1/conversations/{id}/turns: a conversation turn by turn over plain HTTP, and its end.

What was said is held in memory until it was idle for too long or is ended; nothing is stored. Sending
the same turns again is answered alike and costs nothing, so that a request may be repeated.
"""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Request
from pydantic import AfterValidator, BaseModel, Field, StrictBool, StrictInt, create_model
from pydantic_core import PydanticCustomError

from app.api import problems
from app.api.access.tenant import Caller, caller_of
from app.api.bodies import JsonRoute
from app.api.live.schemas import (
    AlertAnswer,
    AlertPolicyBody,
    LiveTurnAnswer,
    Running,
    alert_answers,
    live_turn,
    policy_of,
    running,
    standing_answers,
    turn_answers,
    whole_answer,
)
from app.api.live.state import LiveState
from app.api.problems import Refused
from app.api.requests import Strict
from app.api.schemas import ScoreAnswer
from app.api.scores import unless_gone
from app.core.alerts import Change
from app.core.conversation import Channel
from app.core.errors import InvalidConversation
from app.core.labels import LABEL_SET_VERSION
from app.engine.limits import Limits
from app.engine.live import LiveConversation
from app.engine.open_conversations import Held

PATH = "/v1/conversations/{conversation_id:path}/turns"
END_PATH = "/v1/conversations/{conversation_id:path}/finalize"

_EXPIRED = "this live conversation was ended, or idle for too long; send all its turns again, with `restart`"
_UNKNOWN = "no live conversation is open under this id; it was never begun, was ended, or idle for too long"
_EXAMPLES: dict[str, dict[str, Any]] = {
    "turn": {
        "summary": "One more turn",
        "value": {"turns": [{"id": "1", "role": "agent", "text": "This plan is guaranteed to double your money."}]},
    },
    "revision": {
        "summary": "A recognition that changed, and is final now",
        "value": {
            "turns": [{"id": "2", "role": "customer", "text": "What does it cost?", "revision": 3, "is_final": True}],
            "known_turns": 2,
        },
    },
}


class LiveAnswer(BaseModel):
    """What some turns of a live conversation show, and the conversation so far."""

    conversation_id: str = Field(description="As in the address.")
    model_version: str = Field(description="The release that answers; another one may score differently.")
    label_set_version: str = Field(description="The version of the definitions at /v1/labels.")
    turns: list[LiveTurnAnswer] = Field(description="The turns that were sent, in the order sent, as last said.")
    rescored: list[LiveTurnAnswer] = Field(
        description="Other turns whose score is new: those after a revised one, and those that had no answer yet."
    )
    conversation: Running = Field(description="The conversation so far.")
    alerts: list[AlertAnswer] = Field(description="What the turns sent, and those in `rescored`, set off or took back.")


class LiveEnd(BaseModel):
    """A live conversation that has ended."""

    result: ScoreAnswer = Field(description="The score of the whole, the same as that of POST /v1/score.")
    alerts: list[AlertAnswer] = Field(description="All alerts that were not withdrawn, in the order they rang.")


def append_request(limits: Limits) -> Any:
    """The request model with the bounds of a server."""

    def distinct(turns: list[Any]) -> list[Any]:
        first_with: dict[str, int] = {}
        for index, turn in enumerate(turns):
            if first_with.setdefault(turn.id, index) != index:
                raise PydanticCustomError(
                    "equal_ids", f"turns {first_with[turn.id]} and {index} have the same id; send its newest revision"
                )
        return turns

    turn: Any = live_turn(limits)
    turns: Any = Annotated[list[turn], Field(min_length=1, max_length=limits.max_turns), AfterValidator(distinct)]
    return create_model(
        "AppendRequest",
        __base__=Strict,
        __doc__="Turns to add to a live conversation, or to revise in it.",
        turns=(turns, Field(description="New turns, and new revisions of known ones, oldest first.")),
        channel=(Channel | None, Field(None, description="Of a conversation that begins: voice or chat.")),
        alerts=(
            AlertPolicyBody | None,
            Field(None, description="When to be told of alerts; read when the conversation begins."),
        ),
        known_turns=(
            Annotated[StrictInt, Field(ge=0)] | None,
            Field(
                None,
                description="How many turns you have had answers for. Where softsell has fewer, it answers 410 instead "
                "of scoring out of context.",
            ),
        ),
        restart=(
            StrictBool,
            Field(False, description="Whether to forget what was said under this id, and begin anew."),
        ),
    )


def _found(state: LiveState, caller: Caller, id_: str) -> Held | None:
    held = state.open.get(caller.tenant, id_)
    if held is not None and held.streamed:
        raise Refused(409, "this conversation is spoken over a socket; send its turns there", "conversation_in_use")
    return held


def _held(state: LiveState, caller: Caller, id_: str, sent: Any) -> Held:
    """The conversation that is meant, or a new one."""
    held = _found(state, caller, id_)
    if held is not None and not sent.restart:
        if (sent.known_turns or 0) > len(held.conversation):
            raise Refused(410, _EXPIRED, "conversation_expired")
        return held
    if not sent.restart and (sent.known_turns or state.open.was_let_go(caller.tenant, id_)):
        raise Refused(410, _EXPIRED, "conversation_expired")
    return state.begin(caller, id_, sent.channel, policy_of(sent.alerts, state.runtime.service), id_)


def _take(live: LiveConversation, turns: list[Any]) -> None:
    for index, sent in enumerate(turns):
        try:
            live.take(sent.turn(), sent.revision)
        except InvalidConversation as error:
            # It counts in the conversation; the caller wants to know which of the turns sent it is.
            raise type(error)(str(error), index) from None


def router(state: LiveState) -> APIRouter:
    """The routes of this noun."""
    routes = APIRouter(tags=["live conversations"], route_class=JsonRoute)
    runtime = state.runtime
    limits = runtime.settings.limits
    body = append_request(limits)
    id_path = Path(min_length=1, max_length=limits.max_id_characters, description="Your id of the conversation.")

    @routes.post(
        PATH,
        operation_id="appendTurns",
        summary="Add turns to a live conversation",
        responses=problems.declared(400, 408, 409, 410, 413, 415, 422, 500, 503, 504),
    )
    async def append(
        request: Request,
        conversation_id: Annotated[str, id_path],
        sent: Annotated[body, Body(openapi_examples=_EXAMPLES)],  # type: ignore[valid-type]
    ) -> LiveAnswer:
        """Scores of the turns sent, the conversation so far, and the alerts that changed; the first turns begin it.

        Nothing is scored twice: a turn costs the same however long the conversation is. The same turns may be sent
        again after a lost answer. What fails to be scored is scored with the next request.
        """
        given: Any = sent
        caller = caller_of(request)
        service = runtime.service
        held = _held(state, caller, conversation_id, given)
        live = held.conversation
        with state.open.in_use(held):
            async with held.lock:
                if held.gone:
                    raise Refused(410, _EXPIRED, "conversation_expired")
                _take(live, given.turns)
                changes: list[Change] = []
                rescored: list[int] = []
                places = [live.place(turn.id) for turn in given.turns]
                indices = [place for place in places if place is not None]
                if live.pending:
                    settled = await unless_gone(request, state.advance(held, caller))
                    changes += settled.alerts
                    rescored = sorted({*settled.said, *settled.rescored} - set(indices))
                # Those that were told before are told again to whoever sends a turn again.
                told = {(change.alert.category, change.alert.turn, change.state) for change in changes}
                changes += [
                    change
                    for index in indices
                    for change in live.told(index)
                    if (change.alert.category, change.alert.turn, change.state) not in told
                ]
                return LiveAnswer(
                    conversation_id=conversation_id,
                    model_version=service.model_version,
                    label_set_version=LABEL_SET_VERSION,
                    turns=turn_answers(live, indices),
                    rescored=turn_answers(live, rescored),
                    conversation=running(live),
                    alerts=alert_answers(live, changes),
                )

    @routes.post(
        END_PATH,
        operation_id="finalizeConversation",
        summary="End a live conversation",
        responses=problems.declared(404, 409, 500, 503, 504),
    )
    async def finalize(request: Request, conversation_id: Annotated[str, id_path]) -> LiveEnd:
        """The score of the whole. The conversation is forgotten; asking again is answered with 404."""
        caller = caller_of(request)
        version = runtime.service.model_version
        held = _found(state, caller, conversation_id)
        if held is None:
            raise Refused(404, _UNKNOWN)
        live = held.conversation
        with state.open.in_use(held):
            async with held.lock:
                if held.gone or not len(live):
                    raise Refused(404, _UNKNOWN)
                if live.pending:
                    await unless_gone(request, state.advance(held, caller))
                result = await asyncio.to_thread(whole_answer, live, version, turns=True)
                end = LiveEnd(result=result, alerts=standing_answers(live))
                state.open.let_go(held)
        return end

    return routes

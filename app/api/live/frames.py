"""The frames of WS /v1/stream: JSON objects told apart by `type`, as pydantic models; and the codes it closes with.

A client's frames carry the client's own count in `seq`, which errors refer to; only in `ack` it is the
server's. The server numbers what must not be lost - `score`, `alert`, `final`, `error` - from 1 on and
keeps it until it is acknowledged; `opened` and `keepalive` carry the number of the last one before them.
"""

from enum import IntEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictInt, StrictStr

from app.api.live.schemas import AlertAnswer, AlertPolicyBody, LiveTurnAnswer, Running, live_turn
from app.api.problems import Problem
from app.api.requests import Strict
from app.api.schemas import ScoreAnswer
from app.core.conversation import Channel
from app.engine.limits import Limits

_LARGEST_SEQ = 2**53 - 1


class CloseCode(IntEnum):
    """Why a socket closes: RFC 6455 section 7.4.1, and softsell's own from 4000 on."""

    DONE = 1000
    UNSUPPORTED_DATA = 1003
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    REPLACED = 4001
    IDLE = 4002
    NOT_OPENED = 4003
    NO_SUCH_SESSION = 4004
    UNACKNOWLEDGED = 4005


CLOSE_REASONS: dict[CloseCode, str] = {
    CloseCode.DONE: "the conversation has ended, as `close` asked",
    CloseCode.UNSUPPORTED_DATA: "a binary message was sent; send frames as text",
    CloseCode.INVALID_DATA: "a message was not UTF-8",
    CloseCode.POLICY_VIOLATION: "too many frames in a row were no frames, or what was sent was not read in time",
    CloseCode.TOO_BIG: "a message was larger than the limit",
    CloseCode.INTERNAL_ERROR: "softsell failed, or pings were not answered; resume",
    CloseCode.SERVICE_RESTART: "the server shuts down; open anew, and send all turns again",
    CloseCode.TRY_AGAIN_LATER: "there is no room for another conversation, or the model is not loaded; try again later",
    CloseCode.REPLACED: "another socket has opened or resumed this conversation",
    CloseCode.IDLE: "nothing came in for too long; resume, and send `keepalive` meanwhile",
    CloseCode.NOT_OPENED: "the first frame was not a valid `open`, or did not come in time",
    CloseCode.NO_SUCH_SESSION: "there is no such session any more; open anew, and send all turns again",
    CloseCode.UNACKNOWLEDGED: "too many frames were not acknowledged; resume with the last `seq` you saw",
}

Seq = Annotated[StrictInt, Field(ge=0, le=_LARGEST_SEQ)]
_own_seq = Field(description="Your own number of this frame; an error says which one it is about.")


class Resume(Strict):
    """The session to go on with, after a socket was lost.

    Send the turns that have no answer again: those on their way may have been lost, and known ones are ignored.
    """

    session_id: Annotated[StrictStr, Field(min_length=1, max_length=64)] = Field(description="From `opened`.")
    resume_token: Annotated[StrictStr, Field(min_length=1, max_length=64)] = Field(
        description="From `opened`; keep it secret."
    )
    last_seq: Seq = Field(description="The last `seq` that you saw; all after it is sent again, and nothing before.")


class KeepaliveFrame(Strict):
    """Says that the client is still there; answered with `keepalive`."""

    type: Literal["keepalive"]
    seq: Seq = _own_seq


class FinalizeFrame(Strict):
    """Asks for the whole result; no turn may follow."""

    type: Literal["finalize"]
    seq: Seq = _own_seq


class CloseFrame(Strict):
    """Ends the session, and with it the conversation; what was not acknowledged is forgotten."""

    type: Literal["close"]
    seq: Seq = _own_seq


class AckFrame(Strict):
    """Says that all frames up to a number have been taken in; they are not kept any longer."""

    type: Literal["ack"]
    seq: Seq = Field(description="The highest `seq` of the server's frames that you have taken in.")


def client_frames(limits: Limits) -> dict[str, type[Strict]]:
    """The models of what a client sends, by `type`, with the bounds of a server."""
    id_ = Annotated[StrictStr, Field(min_length=1, max_length=limits.max_id_characters)]

    class OpenFrame(Strict):
        """The first frame of a socket: begins a conversation, or goes on with a session."""

        type: Literal["open"]
        seq: Seq = _own_seq
        conversation_id: id_ | None = Field(
            None, description="Your id of the conversation; one that is open under it is ended. Not with `resume`."
        )
        channel: Channel | None = Field(None, description="voice for a transcript of speech, chat for typed text.")
        alerts: AlertPolicyBody | None = Field(None, description="When to be told of alerts.")
        resume: Resume | None = Field(None, description="To go on with a session; everything else stays as it was.")

    class TurnFrame(live_turn(limits)):  # type: ignore[misc]
        """A turn, or a revision of one; answered with `score`.

        While it waits to be scored, a newer revision takes its place, and is answered alone.
        """

        type: Literal["turn"]
        seq: Seq = _own_seq

    models: tuple[type[Strict], ...] = (OpenFrame, TurnFrame, KeepaliveFrame, FinalizeFrame, CloseFrame, AckFrame)
    return {type_of(model): model for model in models}


class ServerFrame(BaseModel):
    """What all frames of the server have."""

    seq: int = Field(ge=0, description="Its number, from 1 on; acknowledge it with `ack`.")


class OpenedFrame(ServerFrame):
    """The answer to `open`."""

    type: Literal["opened"] = "opened"
    seq: int = Field(
        ge=0, description="The number of the last frame before; those after it follow. Not to be acknowledged."
    )
    session_id: str = Field(description="By which to resume.")
    resume_token: str | None = Field(description="The secret with which to resume; null in the answer to a resume.")
    resumed: bool = Field(description="Whether this goes on with a session.")
    conversation_id: str = Field(description="Your id of the conversation, or one that was made.")
    turns: int = Field(description="How many turns have been taken in.")
    model_version: str = Field(description="The release that answers; another one may score differently.")
    label_set_version: str = Field(description="The version of the definitions at /v1/labels.")
    idle_s: float = Field(description="Send something, such as `keepalive`, more often than this many seconds.")
    grace_s: float = Field(description="How many seconds a lost session can be resumed.")
    max_unacknowledged: int = Field(description="Acknowledge before so many frames are not.")


class ScoreFrame(ServerFrame):
    """The score of a turn that was sent, in the order of turns sent."""

    type: Literal["score"] = "score"
    turn: LiveTurnAnswer = Field(description="The turn.")
    rescored: list[LiveTurnAnswer] = Field(
        description="Other turns whose score is new: those after a turn that was revised."
    )
    conversation: Running = Field(description="The conversation so far; turns that wait to be answered may be in it.")


class AlertFrame(ServerFrame):
    """An alert, and what became of it; follows the score of the turn that set it off."""

    type: Literal["alert"] = "alert"
    alert: AlertAnswer = Field(description="The alert.")


class KeepaliveAnswer(ServerFrame):
    """The answer to `keepalive`."""

    type: Literal["keepalive"] = "keepalive"
    seq: int = Field(ge=0, description="The number of the last frame before. Not to be acknowledged.")


class FinalFrame(ServerFrame):
    """The answer to `finalize`."""

    type: Literal["final"] = "final"
    result: ScoreAnswer = Field(description="The score of the whole, the same as that of POST /v1/score.")
    alerts: list[AlertAnswer] = Field(description="All alerts that were not withdrawn, in the order they rang.")


class ErrorFrame(ServerFrame):
    """Something was not done; the socket stays open unless `fatal`."""

    type: Literal["error"] = "error"
    in_reply_to: int | None = Field(
        description="The client's `seq` of the frame it is about; null if that is not known."
    )
    fatal: bool = Field(description="Whether the socket is closed after this; it is then not acknowledged.")
    problem: Problem = Field(
        description="What happened and what to do. With `retry_after_s`, send the frame again after so many seconds; "
        "a turn keeps its place meanwhile, and is also answered together with the next one."
    )


SERVER_FRAMES: tuple[type[ServerFrame], ...] = (
    OpenedFrame,
    ScoreFrame,
    AlertFrame,
    KeepaliveAnswer,
    FinalFrame,
    ErrorFrame,
)


def type_of(model: Any) -> str:
    """The `type` of a model's frames."""
    return str(model.model_fields["type"].annotation.__args__[0])

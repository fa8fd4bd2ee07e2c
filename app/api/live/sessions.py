"""Conversations over sockets: one session each, which outlives the socket that it is spoken over.

Turns wait here while others are scored, a newer recognition in place of the one that waits; they are
scored in the order in which they were first seen. What is answered is kept until it is acknowledged, so that
a client that comes back within the time of grace loses nothing and gets nothing twice.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import secrets
import uuid
from asyncio import TimerHandle
from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack
from hashlib import sha256
from typing import Any

from fastapi.responses import JSONResponse

from app.api import problems
from app.api.access.tenant import Caller
from app.api.live.frames import AlertFrame, CloseCode, ErrorFrame, FinalFrame, ScoreFrame
from app.api.live.outbox import Outbox
from app.api.live.schemas import (
    alert_answers,
    policy_of,
    running,
    standing_answers,
    turn_answers,
    whole_answer,
)
from app.api.live.state import LiveState
from app.api.problems import Problem
from app.core.errors import InvalidConversation, SoftsellError
from app.engine.live import Settled
from app.engine.open_conversations import Held
from app.observe import LOGGER

# So many turns are scored at a time when they come faster than that: the first of many is answered soon,
# and other conversations get their turn.
MOST_AT_ONCE = 32
# With more turns waiting nothing more is read of the socket.
MOST_WAITING = 256
# How long a client may take to acknowledge something once nothing more is scored for it.
ACKNOWLEDGE_WITHIN_S = 10.0

logger = logging.getLogger(LOGGER)


def problem_of(response: JSONResponse) -> Problem:
    """The problem in a response, for a frame."""
    return Problem(**json.loads(bytes(response.body)))


class Session:
    """One conversation over sockets, of which at most one is attached."""

    def __init__(
        self, state: LiveState, caller: Caller, held: Held, request_id: str, on_end: Callable[[Session], None]
    ) -> None:
        self.id = uuid.uuid4().hex
        self.caller = caller
        self.held = held
        self.outbox = Outbox(state.runtime.settings.limits)
        self.ended = False
        self._state = state
        self._request_id = request_id
        self._on_end = on_end
        self._version = state.runtime.service.model_version
        self._token = b""
        self._waiting: OrderedDict[str, Any] = OrderedDict()
        self._finalizing: int | None = None
        self._finalized = False
        self._wake = asyncio.Event()
        self._has_room = asyncio.Event()
        self._attached: asyncio.Future[CloseCode] | None = None
        self._grace: TimerHandle | None = None
        self._use = ExitStack()
        self._use.enter_context(state.open.in_use(held))
        held.streamed = True
        self._worker = asyncio.create_task(self._work())

    def new_token(self) -> str:
        """A secret by which the session can be resumed; only its digest is kept."""
        token = secrets.token_urlsafe(32)
        self._token = sha256(token.encode()).digest()
        return token

    def is_of(self, tenant: str, token: str) -> bool:
        """Whether someone of a tenant who knows a token may resume it."""
        given = sha256(token.encode("utf-8", "surrogatepass")).digest()
        return hmac.compare_digest(given, self._token) and tenant == self.caller.tenant

    def attach(self) -> asyncio.Future[CloseCode]:
        """Attach a socket, in place of another one; what it gives says with which code the socket must close."""
        self.detach(self._attached, CloseCode.REPLACED)
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        self._attached = asyncio.get_running_loop().create_future()
        self.outbox.news.set()
        return self._attached

    def detach(self, socket: asyncio.Future[CloseCode] | None, code: CloseCode = CloseCode.DONE) -> None:
        """Let go of a socket if it is the attached one; without one, the time of grace begins."""
        if socket is None or socket is not self._attached:
            return
        self._attached = None
        if not socket.done():
            socket.set_result(code)
        if not self.ended:
            grace_s = self._state.runtime.settings.limits.stream_grace_s
            self._grace = asyncio.get_running_loop().call_later(grace_s, self.end, CloseCode.DONE)

    def end(self, code: CloseCode) -> None:
        """Forget the session and its conversation; an attached socket closes with `code`."""
        if self.ended:
            return
        self.ended = True
        self._worker.cancel()
        if self._grace is not None:
            self._grace.cancel()
        self.detach(self._attached, code)
        self._use.close()
        self._state.open.let_go(self.held)
        self._on_end(self)

    async def take(self, frame: Any) -> None:
        """Let a turn wait to be scored. Comes back when there is room for another one."""
        if self._finalizing is not None or self._finalized:
            detail = "the conversation is finalized; open another one"
            self.refuse(problems.response(self._request_id, 409, detail, code="conversation_finalized"), frame.seq)
            return
        known = self._waiting.get(frame.id)
        if known is None or known.revision is None or frame.revision is None or frame.revision > known.revision:
            if known is not None and frame.revision is None and known.revision is not None:
                frame = frame.model_copy(update={"revision": known.revision + 1})
            self._waiting[frame.id] = frame
        self._wake.set()
        while len(self._waiting) >= MOST_WAITING:
            self._has_room.clear()
            await self._has_room.wait()

    def finalize(self, seq: int) -> None:
        """Tell the whole result when all turns are scored."""
        if self._finalizing is None and not self._finalized:
            self._finalizing = seq
            self._wake.set()

    def refuse(self, response: JSONResponse, in_reply_to: int | None) -> None:
        """Tell of something that was not done."""
        self.outbox.add(ErrorFrame(seq=0, in_reply_to=in_reply_to, fatal=False, problem=problem_of(response)))

    async def _work(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting or self._finalizing is not None:
                    await self._room()
                    if self._waiting:
                        count = min(len(self._waiting), MOST_AT_ONCE)
                        frames = [self._waiting.popitem(last=False)[1] for _ in range(count)]
                        self._has_room.set()
                        await self._score(frames)
                    else:
                        await self._finish()
        except Exception as error:
            logger.error("a session failed", extra={"fields": {"request_id": self._request_id}}, exc_info=error)
            asyncio.get_running_loop().call_soon(self.end, CloseCode.INTERNAL_ERROR)

    async def _room(self) -> None:
        """Wait until the client has acknowledged enough; one that takes too long loses its socket."""
        try:
            async with asyncio.timeout(ACKNOWLEDGE_WITHIN_S):
                await self.outbox.room()
        except TimeoutError:
            self.detach(self._attached, CloseCode.UNACKNOWLEDGED)
            await self.outbox.room()

    async def _score(self, frames: list[Any]) -> None:
        live, seqs = self.held.conversation, []
        for frame in frames:
            try:
                live.take(frame.turn(), frame.revision)
            except InvalidConversation as error:
                # It is about the one turn of that frame, wherever it would stand in the conversation.
                own = type(error)(str(error))
                self.refuse(problems.of_error(self._request_id, own), frame.seq)
            else:
                seqs.append(frame.seq)
        if not live.pending:
            return
        if (settled := await self._advance(seqs)) is not None:
            self._tell(settled)

    async def _advance(self, seqs: list[int]) -> Settled | None:
        try:
            return await self._state.advance(self.held, self.caller)
        except SoftsellError as error:
            for seq in seqs:
                self.refuse(problems.of_error(self._request_id, error), seq)
            return None

    def _tell(self, settled: Settled) -> None:
        live = self.held.conversation
        now = running(live)
        rescored = turn_answers(live, settled.rescored)
        untold = list(settled.alerts)
        for index, turn in zip(settled.said, turn_answers(live, settled.said), strict=True):
            self.outbox.add(ScoreFrame(seq=0, turn=turn, rescored=rescored, conversation=now))
            rescored = []
            of_turn = [change for change in untold if change.turn == index]
            untold = [change for change in untold if change.turn != index]
            for alert in alert_answers(live, of_turn):
                self.outbox.add(AlertFrame(seq=0, alert=alert))
        for alert in alert_answers(live, untold):
            self.outbox.add(AlertFrame(seq=0, alert=alert))

    async def _finish(self) -> None:
        live, seq = self.held.conversation, self._finalizing
        assert seq is not None  # noqa: S101 - that is why it was called
        self._finalizing = None
        if not len(live):
            error = InvalidConversation("the conversation has no turns; send at least one")
            self.refuse(problems.of_error(self._request_id, error), seq)
            return
        if live.pending:
            settled = await self._advance([seq])
            if settled is None:
                return
            self._tell(settled)
        self._finalized = True
        result = await asyncio.to_thread(whole_answer, live, self._version, turns=True)
        self.outbox.add(FinalFrame(seq=0, result=result, alerts=standing_answers(live)))


class Sessions:
    """The sessions of one application."""

    def __init__(self, state: LiveState) -> None:
        self.state = state
        self._sessions: dict[str, Session] = {}
        self._of_conversation: dict[tuple[str, str], Session] = {}

    def begin(self, caller: Caller, frame: Any, request_id: str) -> Session:
        """A new session, in place of one of the same conversation. Raises `Overloaded`, or `NotReady`."""
        policy = policy_of(frame.alerts, self.state.runtime.service)
        id_ = frame.conversation_id or uuid.uuid4().hex
        if known := self._of_conversation.get((caller.tenant, id_)):
            known.end(CloseCode.REPLACED)
        held = self.state.begin(caller, id_, frame.channel, policy, frame.conversation_id)
        session = Session(self.state, caller, held, request_id, self._forget)
        self._sessions[session.id] = self._of_conversation[caller.tenant, id_] = session
        return session

    def find(self, caller: Caller, resume: Any) -> Session | None:
        """The session that a client comes back to; `None` if there is none, or not all is left that it did not see."""
        session = self._sessions.get(resume.session_id)
        if session is None or not session.is_of(caller.tenant, resume.resume_token):
            return None
        if not session.outbox.acknowledged <= resume.last_seq <= session.outbox.last_seq:
            return None
        session.outbox.acknowledge(resume.last_seq)
        return session

    def close(self) -> None:
        """End all sessions."""
        for session in list(self._sessions.values()):
            session.end(CloseCode.SERVICE_RESTART)

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        self._of_conversation.pop((session.caller.tenant, session.held.id), None)

"""WS /v1/stream: a conversation over a WebSocket (RFC 6455), in the frames of `app.api.live.frames`.

One task reads and one writes; what is said and what is answered belongs to the session, not to the socket.
A page of another origin is refused before the socket opens, since a browser lets any page open one.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from typing import Any, cast
from urllib.parse import urlsplit

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.api import problems
from app.api.access.tenant import caller_of
from app.api.bodies import read_json
from app.api.live.frames import (
    CLOSE_REASONS,
    CloseCode,
    ErrorFrame,
    KeepaliveAnswer,
    OpenedFrame,
    ServerFrame,
    client_frames,
    type_of,
)
from app.api.live.sessions import Session, Sessions, problem_of
from app.api.problems import Refused, told_invalid
from app.api.requests import Strict, field_names
from app.core.errors import SoftsellError
from app.core.labels import LABEL_SET_VERSION
from app.observe import LOGGER

PATH = "/v1/stream"
OPEN_WITHIN_S = 10.0
# A client that sends so much nonsense in a row is not a client.
MOST_BAD_FRAMES = 10

logger = logging.getLogger(LOGGER)


class _BadFrame(Exception):
    """A frame that is none; `told` is its problem, `seq` the client's number of it if it has one."""

    def __init__(self, told: Any, seq: int | None = None) -> None:
        super().__init__()
        self.told = told
        self.seq = seq


class _Closing(Exception):
    """Ends the connection with a code."""

    def __init__(self, code: CloseCode) -> None:
        super().__init__()
        self.code = code


def _is_welcome(socket: WebSocket, allowed_origins: tuple[str, ...]) -> bool:
    """Whether the page that opens a socket may; programs send no origin."""
    origin = socket.headers.get("origin")
    if origin is None or origin in allowed_origins:
        return True
    # The scheme is not compared: TLS may end before softsell.
    return urlsplit(origin).netloc.lower() == socket.headers.get("host", "").lower() != ""


class _Reader:
    """Text to frames, with the bounds of one server."""

    def __init__(self, sessions: Sessions) -> None:
        self._models = client_frames(sessions.state.runtime.settings.limits)
        self._fields = {name: field_names(model) for name, model in self._models.items()}

    def frame(self, text: str, request_id: str) -> Strict:
        """A client's frame. Raises `_BadFrame`."""
        try:
            value = read_json(text.encode("utf-8", "surrogatepass"))
        except Refused as error:
            raise _BadFrame(problems.response(request_id, 400, error.detail, code=error.code)) from None
        kind = value.get("type") if isinstance(value, dict) else None
        model = self._models.get(kind) if isinstance(kind, str) else None
        seq = value.get("seq") if isinstance(value, dict) else None
        seq = seq if isinstance(seq, int) and not isinstance(seq, bool) and 0 <= seq < 2**53 else None
        if model is None:
            detail = f"send an object with a `type` of {', '.join(self._models)}"
            raise _BadFrame(problems.response(request_id, 422, detail, code="unknown_frame"), seq)
        try:
            return model.model_validate(value)
        except ValidationError as error:
            # As FastAPI has them: the first part of a place says what was read.
            found = [
                {**item, "loc": ("frame", *item["loc"])}
                for item in error.errors(include_url=False, include_input=False)
            ]
            told = told_invalid(found, self._fields[str(kind)])
            raise _BadFrame(
                problems.response(request_id, 422, told.detail, code=told.code, errors=told.errors), seq
            ) from None


class _Connection:
    """One socket, from its opening to its close."""

    def __init__(self, socket: WebSocket, sessions: Sessions, reader: _Reader) -> None:
        self._socket = socket
        self._sessions = sessions
        self._reader = reader
        self._metrics = sessions.state.runtime.metrics
        self._limits = sessions.state.runtime.settings.limits
        self._id = uuid.uuid4().hex
        # Answers that belong to this socket and not to the session.
        self._asides: deque[ServerFrame] = deque()
        self._counts = {"received": 0, "sent": 0}

    async def serve(self) -> None:
        """Talk until one side ends it, then close and book it."""
        started = time.monotonic()
        code = int(CloseCode.INTERNAL_ERROR)
        try:
            code = await self._talk()
            await self._socket.close(code, CLOSE_REASONS[CloseCode(code)])
        except WebSocketDisconnect as gone:
            code = gone.code
        except Exception as error:
            logger.error("a socket failed", extra={"fields": {"request_id": self._id}}, exc_info=error)
            await self._close_quietly(CloseCode.INTERNAL_ERROR)
        finally:
            # Another code is the client's own invention.
            known = code in CloseCode.__members__.values() or code in (1001, 1005, 1006)
            self._metrics.sockets_closed.labels(str(code) if known else "other").inc()
            fields = {
                "request_id": self._id,
                "code": code,
                "duration_ms": round((time.monotonic() - started) * 1000, 1),
                **{f"frames_{direction}": count for direction, count in self._counts.items()},
            }
            logger.info("socket", extra={"fields": fields})

    async def _close_quietly(self, code: CloseCode) -> None:
        try:
            await self._socket.close(code)
        except (RuntimeError, OSError, WebSocketDisconnect):
            return

    async def _talk(self) -> CloseCode:
        opened = await self._open()
        if isinstance(opened, CloseCode):
            return opened
        session, last_seq = opened
        attached = session.attach()
        tasks = [
            asyncio.create_task(self._read(session)),
            asyncio.create_task(self._write(session, last_seq)),
        ]
        try:
            done, _ = await asyncio.wait([*tasks, attached], return_when=asyncio.FIRST_COMPLETED)
            # What the client asked for counts more than what came of it.
            first = next((task for task in (*tasks, attached) if task in done), attached)
            return await first
        finally:
            session.detach(attached)
            for task in tasks:
                task.cancel()
                # Looked at, so that asyncio does not complain of what nobody waits for any more.
                task.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.wait(tasks)

    async def _open(self) -> tuple[Session, int] | CloseCode:  # noqa: PLR0911 - one for each way it can fail
        """The session that the first frame opens or resumes, and the last number that the client saw."""
        caller = caller_of(self._socket)
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                frame: Any = await self._received()
        except TimeoutError:
            return CloseCode.NOT_OPENED
        except _Closing as closing:
            return closing.code
        except _BadFrame as bad:
            return await self._refused(bad.told, bad.seq, CloseCode.NOT_OPENED)
        if frame.type != "open":
            told = problems.response(self._id, 422, "the first frame must be `open`", code="not_opened")
            return await self._refused(told, frame.seq, CloseCode.NOT_OPENED)
        resume = frame.resume
        if resume is not None:
            session = self._sessions.find(caller, resume)
            if session is None:
                detail = "there is no such session any more; open anew, and send all turns again"
                told = problems.response(self._id, 404, detail, code="no_such_session")
                return await self._refused(told, frame.seq, CloseCode.NO_SUCH_SESSION)
            token, last_seq = None, resume.last_seq
        else:
            try:
                session = self._sessions.begin(caller, frame, self._id)
            except SoftsellError as error:
                told = problems.of_error(self._id, error)
                return await self._refused(told, frame.seq, CloseCode.TRY_AGAIN_LATER)
            token, last_seq = session.new_token(), 0
        self._asides.append(
            OpenedFrame(
                seq=last_seq,
                session_id=session.id,
                resume_token=token,
                resumed=resume is not None,
                conversation_id=session.held.id,
                turns=len(session.held.conversation),
                model_version=self._sessions.state.runtime.service.model_version,
                label_set_version=LABEL_SET_VERSION,
                idle_s=self._limits.stream_idle_s,
                grace_s=self._limits.stream_grace_s,
                max_unacknowledged=self._limits.max_unacknowledged_frames,
            )
        )
        return session, last_seq

    async def _refused(self, told: Any, seq: int | None, code: CloseCode) -> CloseCode:
        frame = ErrorFrame(seq=0, in_reply_to=seq, fatal=True, problem=problem_of(told))
        await self._send("error", frame.model_dump_json())
        return code

    async def _read(self, session: Session) -> CloseCode:
        bad_in_row = 0
        while True:
            try:
                async with asyncio.timeout(self._limits.stream_idle_s):
                    frame: Any = await self._received()
            except TimeoutError:
                return CloseCode.IDLE
            except _Closing as closing:
                return closing.code
            except _BadFrame as bad:
                bad_in_row += 1
                if bad_in_row >= MOST_BAD_FRAMES:
                    return CloseCode.POLICY_VIOLATION
                session.refuse(bad.told, bad.seq)
                continue
            bad_in_row = 0
            match frame.type:
                case "turn":
                    await session.take(frame)
                case "ack":
                    session.outbox.acknowledge(frame.seq)
                case "keepalive":
                    self._asides.append(KeepaliveAnswer(seq=0))
                    session.outbox.news.set()
                case "finalize":
                    session.finalize(frame.seq)
                case "close":
                    session.end(CloseCode.DONE)
                    return CloseCode.DONE
                case _:
                    told = problems.response(self._id, 409, "the socket is open already", code="already_open")
                    session.refuse(told, frame.seq)
            # Thousands of frames may have come in at once; others are to be served between them.
            await asyncio.sleep(0)

    async def _received(self) -> Strict:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        if text is None:
            raise _Closing(CloseCode.UNSUPPORTED_DATA)
        self._counts["received"] += 1
        try:
            frame: Any = self._reader.frame(text, self._id)
        except _BadFrame:
            self._metrics.frames.labels("received", "none").inc()
            raise
        self._metrics.frames.labels("received", frame.type).inc()
        return cast(Strict, frame)

    async def _write(self, session: Session, last_seq: int) -> CloseCode:
        outbox = session.outbox
        while True:
            outbox.news.clear()
            while self._asides:
                aside = self._asides.popleft()
                aside.seq = last_seq
                await self._send(type_of(type(aside)), aside.model_dump_json())
            # What was acknowledged before it was sent was seen elsewhere.
            last_seq = max(last_seq, outbox.acknowledged)
            if (frame := outbox.get(last_seq + 1)) is not None:
                last_seq += 1
                await self._send(*frame)
            else:
                await outbox.news.wait()

    async def _send(self, kind: str, text: str) -> None:
        await self._socket.send_text(text)
        self._counts["sent"] += 1
        self._metrics.frames.labels("sent", kind).inc()


def router(sessions: Sessions) -> APIRouter:
    """The one route of this noun."""
    routes = APIRouter()
    runtime = sessions.state.runtime
    reader = _Reader(sessions)
    open_sockets = 0

    def count() -> float:
        return open_sockets

    runtime.metrics.watch("sockets_open", "Sockets that are open.", count)

    @routes.websocket(PATH)
    async def stream(socket: WebSocket) -> None:
        nonlocal open_sockets
        if not _is_welcome(socket, runtime.settings.allowed_origins):
            detail = "pages of this origin may not open a socket here; the server's setting allowed_origins names those"
            runtime.metrics.sockets_closed.labels("refused").inc()
            if "websocket.http.response" in socket.scope.get("extensions", {}):
                await socket.send_denial_response(problems.response("", 403, detail, code="origin_not_allowed"))
            else:
                await socket.close(CloseCode.POLICY_VIOLATION)
            return
        await socket.accept()
        open_sockets += 1
        try:
            await _Connection(socket, sessions, reader).serve()
        finally:
            open_sockets -= 1

    return routes

"""Plays a transcript to softsell as if it were being spoken: `python examples/live/play.py examples/phone_upgrade.txt`.

It does what a client of `WS /v1/stream` has to do: it sends each recognition in place of the one before, acknowledges
what it gets, and when the connection is lost it resumes, and sends again what has no answer. docs/live.md says why.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from app.core.conversation import Conversation, Turn
from app.core.errors import SoftsellError
from app.report import visible
from app.transcripts.document import Document
from app.transcripts.guess import guess
from app.transcripts.intake import parse_roles, take

MS_A_WORD = 400  # 150 words a minute
WORDS_A_RECOGNITION = 4
WAITS_S = (0.1, 0.5, 1, 2, 4, 8, 16, 16)  # In all less than the time of grace.
GIVEN_UP = {1003, 1007, 1008, 1009, 4001, 4003}  # Nothing is gained by coming back with the same.


class Stopped(Exception):
    """The play cannot go on; the message says what to do."""


def recognitions(turns: Sequence[Turn]) -> Iterator[tuple[float, dict[str, Any]]]:
    """What a recogniser would tell of each turn while it is spoken, with the second of the call at which it would."""
    now_ms = 0.0
    for turn, following in itertools.zip_longest(turns, turns[1:]):
        start_ms = max(now_ms, turn.start_ms or 0)
        ends = [match.end() for match in re.finditer(r"\S+", turn.text)]
        end_ms = start_ms + MS_A_WORD * len(ends)
        if turn.end_ms is not None:
            end_ms = turn.end_ms
        elif following and following.start_ms is not None:
            end_ms = min(end_ms, following.start_ms)
        end_ms = now_ms = max(start_ms, end_ms)
        cuts = range(WORDS_A_RECOGNITION, len(ends), WORDS_A_RECOGNITION)
        known = {"type": "turn", "id": turn.id, "role": turn.role, "start_ms": turn.start_ms}
        for revision, count in enumerate(cuts):
            partial = {"text": turn.text[: ends[count - 1]], "revision": revision, "is_final": False}
            yield (start_ms + (end_ms - start_ms) * count / len(ends)) / 1000, known | partial
        final = {"text": turn.text, "revision": len(cuts), "is_final": True, "end_ms": turn.end_ms}
        yield end_ms / 1000, known | final


def bar(value: float, cells: int = 20) -> str:
    """A probability as a bar."""
    filled = round(value * cells)
    return "█" * filled + "░" * (cells - filled)


class Screen:
    """Prints answers as they come, each once, also if they come again in a session that had to begin anew."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._texts = {turn.id: visible(turn.text).replace("\n", " ") for turn in turns}
        self._told: set[str] = set()
        self._alerts: dict[tuple[str, str], str] = {}

    def score(self, frame: dict[str, Any]) -> None:
        """A turn that is final, its own risk, and the running risk of the call."""
        turn, whole = frame["turn"], frame["conversation"]["mis_selling"]
        if not turn["is_final"] or turn["id"] in self._told:
            return
        self._told.add(turn["id"])
        own = f"{turn['mis_selling']['risk']:.2f}" if turn["mis_selling"] else "    "
        running = f"{bar(whole['risk'])} {whole['risk']:.2f} {whole['band']:<6}" if whole else f"{'':32}"
        print(f"{running} | {own} {turn['role']:<8} {self._texts[turn['id']]}", flush=True)

    def alert(self, frame: dict[str, Any]) -> None:
        """An alert that began, fell quiet or was withdrawn."""
        alert = frame["alert"]
        key, state = (alert["category"], alert["turn_id"]), alert["state"]
        if self._alerts.get(key) == state:
            return
        self._alerts[key] = state
        words = "; ".join(visible(span["text"]).replace("\n", " ") for span in alert["evidence"])
        print(f"{'':32} ! {state}: {alert['category']} at turn {alert['turn_id']}  {words}".rstrip(), flush=True)

    def final(self, frame: dict[str, Any]) -> None:
        """The result of the whole."""
        result = frame["result"]
        print(f"\nThe whole call, {result['usage']['turns']} turns, by {result['model_version']}")
        if whole := result["mis_selling"]:
            print(f"mis-selling risk       {bar(whole['risk'])} {whole['risk']:.2f} {whole['band']}")
        empathy = result["empathy"] or {}
        groups = {"": empathy, "mis-selling": (whole or {}).get("categories"), "practice": result["practice"]}
        for title, group in (groups | {"signals": result["signals"]}).items():
            for name, value in (group or {}).items():
                print(f"  {'empathy' if name == 'score' else name:<20} {bar(value)} {value:.2f} {title}".rstrip())
        for missing in result["abstained"]:
            print(f"  no {missing['of']}: {missing['detail']}")
        alerts = [f"{alert['category']} at turn {alert['turn_id']} ({alert['state']})" for alert in frame["alerts"]]
        print(f"alerts: {', '.join(alerts) or 'none'}")


class Play:
    """One conversation over as many sockets as it takes."""

    def __init__(
        self, conversation: Conversation, url: str, *, key: str | None, speed: float, rings_early: bool
    ) -> None:
        self._conversation, self._url, self._speed = conversation, url, speed
        self._opening: dict[str, Any] = {"channel": conversation.channel, "alerts": {"partial": rings_early}}
        # A program sends its key in a header; a browser cannot, and needs a ticket.
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._screen = Screen(conversation.turns)
        self._numbers = itertools.count(1)
        self._session: dict[str, str] = {}
        self._last_seq = 0
        self._said: dict[str, dict[str, Any]] = {}  # The newest recognition of each turn,
        self._answered: dict[str, int] = {}  # the newest one that has an answer,
        self._unsent: dict[str, dict[str, Any]] = {}  # and those that are still to be sent.
        self._is_spoken = self._is_finalized = self._is_done = False
        self._news = asyncio.Event()
        self._lost = 0

    async def run(self) -> None:
        """Play to the end. Raises `Stopped`."""
        speaking = asyncio.create_task(self._speak())
        try:
            while not self._is_done:
                try:
                    async with connect(self._url, additional_headers=self._headers, max_size=None) as connection:
                        await self._converse(connection)
                    code, reason = connection.close_code, connection.close_reason
                except ConnectionClosed as closed:
                    told = closed.rcvd
                    code, reason = (told.code, told.reason) if told else (None, "without a word")
                except (OSError, WebSocketException) as error:
                    if isinstance(error, InvalidStatus) and error.response.status_code < 500:
                        raise Stopped(f"refused: {(error.response.body or b'').decode(errors='replace')}") from None
                    if not self._session:
                        raise Stopped(f"nothing answers at {self._url}; start softsell with `make serve`") from None
                    code, reason = None, "no connection"
                if not self._is_done:
                    await self._lose(code, reason)
        finally:
            speaking.cancel()

    async def _lose(self, code: int | None, reason: str | None) -> None:
        if code in GIVEN_UP or self._lost == len(WAITS_S):
            raise Stopped(f"the connection is closed ({code}): {reason}")
        wait_s = WAITS_S[self._lost]
        self._lost += 1
        print(f"{'':32} ~ connection lost ({code or reason}); again in {wait_s} s", flush=True)
        await asyncio.sleep(wait_s)

    async def _speak(self) -> None:
        """Say each recognition at its time, whether or not there is a connection."""
        clock = asyncio.get_running_loop().time
        began_s = clock()
        for at_s, frame in recognitions(self._conversation.turns):
            await asyncio.sleep(began_s + at_s / self._speed - clock())
            self._said[frame["id"]] = self._unsent[frame["id"]] = frame
            self._news.set()
        self._is_spoken = True
        self._news.set()

    def _send_again(self) -> None:
        """Let all that has no answer be sent: what is known already is ignored."""
        self._is_finalized = False
        answered = self._answered
        self._unsent = {id_: said for id_, said in self._said.items() if answered.get(id_, -1) < said["revision"]}
        self._news.set()

    async def _send(self, connection: ClientConnection, **frame: Any) -> None:
        await connection.send(json.dumps({"seq": next(self._numbers), **frame}))

    async def _write(self, connection: ClientConnection, idle_s: float) -> None:
        while True:
            self._news.clear()
            while self._unsent:
                await self._send(connection, **self._unsent.pop(next(iter(self._unsent))))
            if self._is_spoken and not self._is_finalized:
                self._is_finalized = True
                await self._send(connection, type="finalize")
            try:
                await asyncio.wait_for(self._news.wait(), idle_s / 2)
            except TimeoutError:
                await self._send(connection, type="keepalive")

    async def _converse(self, connection: ClientConnection) -> None:
        """One socket, from `open` to its close."""
        again: dict[str, Any] = {"resume": {**self._session, "last_seq": self._last_seq}}
        await self._send(connection, type="open", **(again if self._session else self._opening))
        opened = json.loads(await connection.recv())
        if opened["type"] == "error":
            return await self._refused(opened["problem"])
        if not opened["resumed"]:
            self._session = {name: opened[name] for name in ("session_id", "resume_token")}
        self._lost = 0
        self._send_again()
        writing = asyncio.create_task(self._write(connection, opened["idle_s"]))
        try:
            async for text in connection:
                await self._take(connection, json.loads(text))
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _refused(self, problem: dict[str, Any]) -> None:
        if problem["code"] == "no_such_session":
            # The server has begun anew or waited too long: so does this, from the first turn.
            self._session, self._last_seq = {}, 0
            self._answered.clear()
        elif problem.get("retry_after_s") is None:
            raise Stopped(problem["detail"])
        else:
            await asyncio.sleep(problem["retry_after_s"])

    async def _take(self, connection: ClientConnection, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "score":
                self._answered[frame["turn"]["id"]] = frame["turn"]["revision"]
                self._screen.score(frame)
            case "alert":
                self._screen.alert(frame)
            case "final":
                self._screen.final(frame)
                self._is_done = True
            case "error":
                problem = frame["problem"]
                if wait_s := problem.get("retry_after_s"):
                    asyncio.get_running_loop().call_later(wait_s, self._send_again)
                elif problem["code"] != "conversation_finalized":  # Sent again after a loss, and not needed.
                    print(f"{'':32} ~ {problem['detail']}", flush=True)
            case _:
                return
        self._last_seq = frame["seq"]
        await self._send(connection, type="ack", seq=self._last_seq)
        if self._is_done:
            await self._send(connection, type="close")


def read(path: Path, roles: Sequence[str]) -> Conversation:
    """The first conversation of a transcript, in any format that softsell reads. Raises `SoftsellError`."""
    with path.open("rb") as file:
        taken = next(iter(take(Document(file), parse_roles(roles), guess=guess)))
    if isinstance(taken.outcome, SoftsellError):
        raise taken.outcome
    return taken.outcome


def main() -> None:
    """Read the arguments, and play."""
    arguments = argparse.ArgumentParser(description="Plays a transcript to softsell as if it were being spoken.")
    arguments.add_argument("transcript", type=Path, help="a file in any format that softsell reads")
    arguments.add_argument("--url", default="ws://127.0.0.1:8000/v1/stream", help="where softsell listens")
    arguments.add_argument("--speed", type=float, default=1.0, help="how many times as fast as speech; 1 by default")
    arguments.add_argument(
        "--partial", action="store_true", help="ring before a turn is final, and perhaps take it back"
    )
    arguments.add_argument("--roles", action="append", default=[], metavar="SPEAKER=ROLE", help="who is the agent")
    arguments.add_argument("--key", default=os.environ.get("SOFTSELL_KEY"), help="ssk_…; SOFTSELL_KEY by default")
    given = arguments.parse_args()
    if given.speed <= 0:
        arguments.error("--speed is a number above 0")
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        conversation = read(given.transcript, given.roles)
        play = Play(conversation, given.url, key=given.key, speed=given.speed, rings_early=given.partial)
        asyncio.run(play.run())
    except (Stopped, SoftsellError, OSError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

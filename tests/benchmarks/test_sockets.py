"""Of live calls, every turn is either scored or told to be lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from app.core.conversation import Conversation, Role, Turn
from benchmarks.sockets import Told, converse

CALLS = [Conversation(tuple(Turn(str(number), Role.AGENT, f"Turn {number}.") for number in range(4)))] * 3


class Scripted:
    """A server of sockets that scores the turns it is told to, in the order it is told to."""

    def __init__(self, order: dict[str, list[str]]) -> None:
        self._order = order
        self.acknowledged = 0

    async def __call__(self, connection: ServerConnection) -> None:
        seq = 0

        async def send(kind: str, **more: Any) -> None:
            nonlocal seq
            seq += kind != "opened"
            await connection.send(json.dumps({"type": kind, "seq": seq, **more}))

        async for message in connection:
            frame = json.loads(message)
            if frame["type"] == "open":
                await send("opened")
            elif frame["type"] == "turn":
                for id_ in self._order.get(frame["id"], [frame["id"]]):
                    await send("score", turn={"id": id_})
            elif frame["type"] == "ack":
                self.acknowledged += 1


def conversed(script: Scripted) -> Told:
    async def measure() -> Told:
        async with serve(script, "127.0.0.1", 0) as server:
            (socket,) = server.sockets
            return await converse(socket.getsockname()[1], CALLS, 0.05)

    return asyncio.run(measure())


def test_every_turn_is_scored_once_and_acknowledged() -> None:
    script = Scripted({})
    told = conversed(script)
    assert told.sent == len(told.latencies_s) == script.acknowledged == 12
    assert (told.lost, told.out_of_order, told.errors) == (0, 0, {})


def test_scores_in_another_order_are_told() -> None:
    told = conversed(Scripted({"1": [], "2": ["2", "1"]}))
    assert told.lost == 0
    assert told.out_of_order == 6


def test_a_server_that_is_not_there_is_an_error() -> None:
    async def nobody() -> Told:
        async with serve(Scripted({}), "127.0.0.1", 0) as server:
            (socket,) = server.sockets
            port = socket.getsockname()[1]
        return await converse(port, CALLS, 0.01)

    told = asyncio.run(nobody())
    assert told.sent == 0
    assert sum(told.errors.values()) == 3

"""WS /v1/stream: the whole's scores in order, nothing lost or twice, and every end with its code."""

from __future__ import annotations

import asyncio
import json
import socket as sockets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import websockets
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from app.api.live import sessions, stream
from app.api.live.frames import CLOSE_REASONS, CloseCode
from app.core.errors import Overloaded
from app.engine.limits import Limits
from app.settings import Settings
from tests.serving import CALL, ROOT, Served, open_client, wait_until

DOCUMENT = json.loads((ROOT / "openapi" / "asyncapi.json").read_text(encoding="utf-8"))
CANARY = "canary"
NUMBERED = {"score", "alert", "final", "error"}


def _validator(name: str) -> jsonschema.Draft202012Validator:
    schema = {"$ref": f"#/components/messages/{name}/payload", "components": DOCUMENT["components"]}
    return jsonschema.Draft202012Validator(schema)


VALIDATORS = {name: _validator(name) for name in DOCUMENT["components"]["messages"]}


def validated(frame: dict[str, Any]) -> dict[str, Any]:
    """A frame of the server, as the document has it."""
    VALIDATORS[f"server_{frame['type']}"].validate(frame)
    return frame


class Talk:
    """A client that checks numbers and shapes of all that it gets."""

    def __init__(self, socket: WebSocketTestSession, **opening: Any) -> None:
        self.socket = socket
        self.seq = 0
        self.last_seq = opening.get("resume", {}).get("last_seq", 0)
        self.send("open", **opening)
        self.opened = self.next()

    def send(self, kind: str, **fields: Any) -> int:
        self.seq += 1
        frame = {"type": kind, "seq": self.seq, **fields}
        VALIDATORS[f"client_{kind}"].validate(frame)
        self.socket.send_json(frame)
        return self.seq

    def turn(self, id_: str, role: str, text: str, **more: Any) -> int:
        return self.send("turn", id=id_, role=role, text=text, **more)

    def next(self) -> dict[str, Any]:
        frame = validated(self.socket.receive_json())
        if frame["type"] in NUMBERED and not frame.get("fatal"):
            assert frame["seq"] == self.last_seq + 1
            self.last_seq = frame["seq"]
        return frame

    def until(self, kind: str) -> list[dict[str, Any]]:
        frames = [self.next()]
        while frames[-1]["type"] != kind:
            frames.append(self.next())
        return frames

    def closed(self) -> int:
        try:
            while True:
                self.socket.receive_json()
        except WebSocketDisconnect as end:
            return int(end.code)

    def back(self) -> dict[str, Any]:
        return {
            "session_id": self.opened["session_id"],
            "resume_token": self.opened["resume_token"],
            "last_seq": self.last_seq,
        }


@contextmanager
def talking(client: TestClient, **opening: Any) -> Iterator[Talk]:
    with client.websocket_connect("/v1/stream") as socket:
        yield Talk(socket, **opening)


def small(**limits: Any) -> Any:
    return open_client(Settings(engine="stub", limits=Limits(**limits)))


def whole(client: TestClient, turns: list[tuple[str, str, str]], id_: str | None = None) -> dict[str, Any]:
    sent = [{"id": turn, "role": role, "text": text} for turn, role, text in turns]
    return client.post("/v1/score", json={"conversation": {"turns": sent, "id": id_}}).json()


def metric(client: TestClient, line: str) -> float:
    for found in client.get("/metrics").text.splitlines():
        if found.startswith(line + " "):
            return float(found.rpartition(" ")[2])
    return 0.0


def test_a_call_scores_as_the_whole_and_rings_as_the_other_door_does(client: TestClient) -> None:
    with talking(client, conversation_id="call") as talk:
        for number, one in enumerate(CALL, 1):
            talk.turn(*one)
            score = talk.until("score")[-1]
            expected = whole(client, CALL[:number])
            assert {k: v for k, v in score["turn"].items() if k not in ("revision", "is_final")} == expected["turns"][
                -1
            ]
            assert score["conversation"] == {name: expected[name] for name in score["conversation"]}
        talk.send("finalize")
        frames = talk.until("final")
        talk.send("close")
        assert talk.closed() == CloseCode.DONE
    assert frames[-1]["result"] == whole(client, CALL, "call")
    body = {"turns": [{"id": id_, "role": role, "text": text} for id_, role, text in CALL]}
    client.post("/v1/conversations/other/turns", json=body)
    assert frames[-1]["alerts"] == client.post("/v1/conversations/other/finalize").json()["alerts"] != []
    # The conversation ended with its session.
    assert client.post("/v1/conversations/call/turns", json=body).status_code == 410


def test_alerts_follow_the_turn_that_set_them_off(client: TestClient) -> None:
    with talking(client) as talk:
        for one in CALL[:3]:
            talk.turn(*one)
        talk.send("finalize")
        told = [
            (f["type"], f.get("turn", {}).get("id") or f.get("alert", {}).get("turn_id")) for f in talk.until("final")
        ]
    assert told == [
        ("score", "1"),
        ("alert", "1"),
        ("score", "2"),
        ("score", "3"),
        ("alert", "3"),
        ("alert", "3"),
        ("final", None),
    ]


def test_a_revision_withdraws_its_alert(client: TestClient) -> None:
    with talking(client) as talk:
        talk.turn("1", "agent", "It is guaranteed.", revision=1)
        assert talk.until("alert")[-1]["alert"]["state"] == "raised"
        talk.turn("1", "agent", "It is good.", revision=2)
        frames = talk.until("alert")
        assert (frames[0]["turn"]["revision"], frames[-1]["alert"]["state"]) == (2, "withdrawn")
        talk.turn("1", "agent", "It is guaranteed.", revision=2)
        talk.send("finalize")
        (final,) = talk.until("final")
        assert final["alerts"] == []


def test_partial_recognitions_replace_each_other_and_only_the_final_one_rings(client: TestClient) -> None:
    with talking(client) as talk:
        words = ["it", "is", "guaranteed", "to", "work"]
        for number in range(1, len(words) + 1):
            talk.turn("1", "agent", " ".join(words[:number]), revision=number, is_final=number == len(words))
        talk.send("finalize")
        frames = talk.until("final")
    revisions = [frame["turn"]["revision"] for frame in frames if frame["type"] == "score"]
    assert revisions == sorted(revisions)
    assert revisions[-1] == len(words)
    assert [frame["type"] for frame in frames if frame["type"] == "alert"] == ["alert"]


def test_a_lost_socket_is_resumed_without_loss_or_repetition(client: TestClient) -> None:
    seen: list[dict[str, Any]] = []
    with talking(client, conversation_id="lost") as talk:
        for one in CALL[:3]:
            talk.turn(*one)
        seen += talk.until("score")
        talk.send("ack", seq=1)
        # More was sent, and is answered while nobody listens.
        for one in CALL[3:]:
            talk.turn(*one)
        back = talk.back()
    with talking(client, resume=back) as talk:
        assert (talk.opened["resumed"], talk.opened["resume_token"]) == (True, None)
        talk.send("finalize")
        seen += talk.until("final")
        # The same again, as if its end had never been seen, and nothing acknowledged.
    with talking(client, resume=back) as talk:
        assert [frame["seq"] for frame in talk.until("final")] == [frame["seq"] for frame in seen[1:]]
        talk.send("close")
    assert [frame["seq"] for frame in seen] == list(range(1, len(seen) + 1))
    assert [frame["turn"]["id"] for frame in seen if frame["type"] == "score"] == [id_ for id_, *_ in CALL]
    assert seen[-1]["result"]["turns"] == whole(client, CALL)["turns"]


def test_a_session_is_found_with_its_secret_alone(client: TestClient) -> None:
    with talking(client) as talk:
        talk.turn(*CALL[0])
        talk.until("alert")
        back = talk.back()
        for wrong in (
            {"resume_token": "guess"},
            {"session_id": "guess"},
            {"last_seq": 99},
        ):
            with talking(client, resume=back | wrong) as stranger:
                assert (stranger.opened["type"], stranger.opened["problem"]["code"]) == ("error", "no_such_session")
                assert stranger.closed() == CloseCode.NO_SUCH_SESSION
        # What was acknowledged cannot be had again.
        talk.send("ack", seq=2)
        talk.send("keepalive")
        assert talk.next()["type"] == "keepalive"
    with talking(client, resume=back | {"last_seq": 1}) as late:
        assert late.closed() == CloseCode.NO_SUCH_SESSION


def test_of_another_tenant_there_is_no_session(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with talking(client) as talk:
        back = talk.back()
    monkeypatch.setattr(stream, "caller_of", lambda _: type(sessions.Caller())("other", "key"))
    with talking(client, resume=back) as stranger:
        assert stranger.closed() == CloseCode.NO_SUCH_SESSION


def test_grace_ends() -> None:
    with small(stream_grace_s=0.1) as client:
        with talking(client) as talk:
            back = talk.back()
        wait_until(lambda: metric(client, "softsell_live_conversations") == 0)
        with talking(client, resume=back) as late:
            assert late.closed() == CloseCode.NO_SUCH_SESSION


def test_another_socket_takes_a_conversation_over(client: TestClient) -> None:
    with talking(client, conversation_id="mine") as first:
        with talking(client, resume=first.back()) as second:
            assert first.closed() == CloseCode.REPLACED
            with talking(client, conversation_id="mine") as third:
                assert second.closed() == CloseCode.REPLACED
                assert third.opened["turns"] == 0
        answer = client.post(
            "/v1/conversations/mine/turns", json={"turns": [{"id": "1", "role": "agent", "text": "hello"}]}
        )
    assert answer.status_code in (200, 409)


def test_the_other_door_does_not_add_to_what_a_socket_says(client: TestClient) -> None:
    with talking(client, conversation_id="busy"):
        body = {"turns": [{"id": "1", "role": "agent", "text": "hello"}]}
        for path in ("turns", "finalize"):
            answer = client.post(f"/v1/conversations/busy/{path}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (409, "conversation_in_use")


def test_a_refused_score_keeps_its_place_and_may_be_sent_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with talking(client) as talk:
        runtime = client.app.state.runtime  # type: ignore[attr-defined]
        score = runtime.score

        async def busy(*_: Any, **__: Any) -> Any:
            raise Overloaded("busy; try again", retry_after_s=7)

        monkeypatch.setattr(runtime, "score", busy)
        refused = talk.turn(*CALL[0])
        error = talk.next()
        assert (error["type"], error["in_reply_to"], error["fatal"]) == ("error", refused, False)
        assert (error["problem"]["code"], error["problem"]["retry_after_s"]) == ("overloaded", 7)
        monkeypatch.setattr(runtime, "score", score)
        # The next turn brings the answer of the one before, in order.
        talk.turn(*CALL[1])
        frames = talk.until("score") + talk.until("score")
        assert [frame["turn"]["id"] for frame in frames if frame["type"] == "score"] == ["1", "2"]
        monkeypatch.setattr(runtime, "score", busy)
        talk.turn(*CALL[2])
        assert talk.next()["type"] == "error"
        monkeypatch.setattr(runtime, "score", score)
        talk.turn(*CALL[2])
        assert talk.until("score")[-1]["turn"]["id"] == "3"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "invalid_json"),
        ("[]", "unknown_frame"),
        (json.dumps({"type": CANARY, "seq": 1}), "unknown_frame"),
        (json.dumps({"type": ["turn"], "seq": 1}), "unknown_frame"),
        (json.dumps({"type": "turn", "seq": 1, "id": "1", "role": CANARY, "text": CANARY}), "invalid_request"),
        (json.dumps({"type": "turn", "seq": 1, "id": "1", "role": "agent", "text": "\u200b"}), "invalid_conversation"),
        (json.dumps({"type": "turn", "seq": 1, "id": "1", "role": "agent", "text": "x y " * 5001}), "limit_exceeded"),
        (json.dumps({"type": "keepalive", "seq": 1, CANARY: 1}), "invalid_request"),
        ('{"type": "keepalive", "seq": 1, "seq": 2}', "duplicate_key"),
        ('{"type": "keepalive", "seq": NaN}', "number_not_finite"),
        (json.dumps({"type": "open", "seq": 1}), "already_open"),
        (json.dumps({"type": "finalize", "seq": 1}), "invalid_conversation"),
    ],
)
def test_what_is_no_frame_is_told_and_not_repeated(client: TestClient, text: str, code: str) -> None:
    with talking(client) as talk:
        talk.socket.send_text(text)
        error = talk.next()
        assert (error["type"], error["problem"]["code"], error["fatal"]) == ("error", code, False)
        assert CANARY not in json.dumps(error)
        assert error["in_reply_to"] in (1, None)
        talk.turn(*CALL[0])
        assert talk.next()["type"] == "score"


def test_too_much_nonsense_closes(client: TestClient) -> None:
    with talking(client) as talk:
        for _ in range(stream.MOST_BAD_FRAMES):
            talk.socket.send_text("{")
        assert talk.closed() == CloseCode.POLICY_VIOLATION


def test_binary_messages_are_not_read(client: TestClient) -> None:
    with talking(client) as talk:
        talk.socket.send_bytes(b"{}")
        assert talk.closed() == CloseCode.UNSUPPORTED_DATA


@pytest.mark.parametrize("first", ["{", '{"type": "keepalive", "seq": 1}', '{"type": "open"}'])
def test_the_first_frame_opens(client: TestClient, first: str) -> None:
    with client.websocket_connect("/v1/stream") as socket:
        socket.send_text(first)
        error = validated(socket.receive_json())
        assert (error["type"], error["fatal"]) == ("error", True)
        with pytest.raises(WebSocketDisconnect) as end:
            socket.receive_json()
        assert end.value.code == CloseCode.NOT_OPENED


def test_idle_and_silent_sockets_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "OPEN_WITHIN_S", 0.1)
    with small(stream_idle_s=0.2) as client:
        with client.websocket_connect("/v1/stream") as socket, pytest.raises(WebSocketDisconnect) as end:
            socket.receive_json()
        assert end.value.code == CloseCode.NOT_OPENED
        with talking(client) as talk:
            started = time.monotonic()
            for _ in range(4):
                time.sleep(0.1)
                talk.send("keepalive")
                assert talk.next() == {"type": "keepalive", "seq": 0}
            assert talk.closed() == CloseCode.IDLE
            assert time.monotonic() - started > 0.5
            back = talk.back()
        with talking(client, resume=back) as again:
            assert again.opened["resumed"]


def test_who_never_acknowledges_is_cut_off_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "ACKNOWLEDGE_WITHIN_S", 0.1)
    ids = [str(number) for number in range(150)]
    seen: list[str] = []
    with small(max_unacknowledged_frames=20) as client:
        with talking(client) as talk:
            for id_ in ids:
                talk.turn(id_, "customer", "I need time")
            try:
                while True:
                    seen.append(talk.next()["turn"]["id"])
            except WebSocketDisconnect as end:
                assert end.code == CloseCode.UNACKNOWLEDGED  # noqa: PT017 - frames before it count, too
        while len(seen) < len(ids):
            with talking(client, resume=talk.back()) as again:
                again.opened["resume_token"] = talk.opened["resume_token"]
                talk = again
                # What was on its way when the socket was lost may not have come in; what had is ignored.
                for id_ in ids[len(seen) :]:
                    talk.turn(id_, "customer", "I need time")
                try:
                    while len(seen) < len(ids):
                        seen.append(talk.next()["turn"]["id"])
                        talk.send("ack", seq=talk.last_seq)
                except WebSocketDisconnect:
                    continue
    assert seen == ids


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [
        (None, True),
        ("http://testserver", True),
        ("https://testserver", True),
        ("https://allowed.example", True),
        ("https://evil.example", False),
        ("https://testserver.evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_pages_of_other_origins_may_not_open_a_socket(origin: str | None, welcome: bool) -> None:
    settings = Settings(engine="stub", allowed_origins=("https://allowed.example",))
    headers = {} if origin is None else {"Origin": origin}
    with open_client(settings) as client:
        if welcome:
            with client.websocket_connect("/v1/stream", headers=headers) as socket:
                assert Talk(socket).opened["type"] == "opened"
            return
        with pytest.raises(WebSocketDenialResponse) as refusal, client.websocket_connect("/v1/stream", headers=headers):
            pass
        assert (refusal.value.status_code, refusal.value.json()["code"]) == (403, "origin_not_allowed")


def test_there_is_an_end_to_conversations() -> None:
    with small(max_live_conversations=1) as client, talking(client), talking(client) as second:
        assert second.opened["problem"]["code"] == "overloaded"
        assert second.closed() == CloseCode.TRY_AGAIN_LATER


def test_sockets_are_counted_without_words(client: TestClient) -> None:
    done, alerts = (
        'softsell_sockets_closed_total{code="1000"}',
        'softsell_alerts_total{category="pressure",state="raised"}',
    )
    before = metric(client, done), metric(client, alerts)
    with talking(client, conversation_id=CANARY) as talk:
        assert metric(client, "softsell_sockets_open") == 1
        talk.turn("1", "agent", f"hurry {CANARY}")
        talk.until("alert")
        talk.send("close")
        talk.closed()
    assert (metric(client, done), metric(client, alerts)) == (before[0] + 1, before[1] + 1)
    assert metric(client, "softsell_sockets_open") == 0
    assert CANARY not in client.get("/metrics").text


def test_each_code_has_its_reason_and_stands_in_the_document() -> None:
    assert set(CLOSE_REASONS) == set(CloseCode)
    told = DOCUMENT["channels"]["stream"]["description"]
    for code, reason in CLOSE_REASONS.items():
        # RFC 6455, section 5.5: a control frame has at most 125 bytes, two of them the code.
        assert len(reason.encode()) <= 123
        assert f"- {code.value}: " in told


# From here on with a server of its own.


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    server = Served(
        "import app.api.connections as connections, app.api.live.sessions as sessions",
        "connections.UNREAD_TIMEOUT_S = connections.CLOSING_TIMEOUT_S = sessions.ACKNOWLEDGE_WITHIN_S = 0.5",
    )
    server.wait_ready()
    yield server
    server.process.kill()
    server.ended(within_s=30)


def url(server: Served) -> str:
    return f"ws://127.0.0.1:{server.port}/v1/stream"


async def opened(connection: Any, **fields: Any) -> dict[str, Any]:
    await connection.send(json.dumps({"type": "open", "seq": 0, **fields}))
    return validated(json.loads(await connection.recv()))


def test_a_frame_that_is_too_large(served: Served) -> None:
    async def talk() -> int:
        async with websockets.connect(url(served)) as connection:
            await opened(connection)
            await connection.send("x" * 65_537)
            await connection.wait_closed()
            return int(connection.close_code or 0)

    assert asyncio.run(talk()) == CloseCode.TOO_BIG


def test_a_reader_that_is_too_slow_is_cut_off(served: Served) -> None:
    started = time.monotonic()
    with sockets.socket() as raw:
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", served.port))
        head = "GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        raw.sendall(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode())
        raw.recv(4096)

        def send(**frame: Any) -> None:
            data = json.dumps(frame).encode()
            raw.sendall(b"\x81" + bytes([0x80 | 126]) + len(data).to_bytes(2) + bytes(4) + data)

        send(type="open", seq=0)
        raw.settimeout(20)
        number = 0
        try:
            while time.monotonic() - started < 5:
                number += 1
                send(
                    type="turn",
                    seq=number,
                    id=str(number % 1500),
                    revision=number,
                    role="agent",
                    text=f"I need {number}",
                )
        except OSError:
            pass
    # Whichever of the two bounds comes first hangs on how much the system buffers.
    codes = {CloseCode.POLICY_VIOLATION, CloseCode.UNACKNOWLEDGED}
    wait_until(lambda: any(line["message"] == "socket" and line["code"] in codes for line in served.log), 20)
    wait_until(lambda: b"softsell_sockets_open 0.0" in served.get("/metrics"), 20)


def test_a_hundred_sockets_at_once_lose_nothing_and_keep_the_order(served: Served) -> None:
    turns = 12

    async def one(number: int) -> list[str]:
        seen: list[str] = []
        async with websockets.connect(url(served), open_timeout=60) as connection:
            await opened(connection, conversation_id=f"many-{number}")

            async def speak() -> None:
                for turn in range(turns):
                    role = ("agent", "customer")[turn % 2]
                    frame = {
                        "type": "turn",
                        "seq": turn,
                        "id": str(turn),
                        "role": role,
                        "text": f"I need {number} {turn}",
                    }
                    await connection.send(json.dumps(frame))
                    await asyncio.sleep(0.002 * (number % 5))

            speaking = asyncio.create_task(speak())
            while len(seen) < turns:
                frame = validated(json.loads(await asyncio.wait_for(connection.recv(), 60)))
                if frame["type"] == "error":
                    # Too much at once: whoever is refused sends its last turn again, and gets all that wait.
                    await asyncio.sleep(0.2)
                    await connection.send(
                        json.dumps(
                            {"type": "turn", "seq": 99, "id": "0", "role": "agent", "text": f"I need {number} 0"}
                        )
                    )
                elif frame["type"] == "score":
                    assert frame["conversation"]["usage"]["turns"] > len(seen)
                    seen.append(frame["turn"]["id"])
            await speaking
        return seen

    async def all_of_them() -> list[list[str]]:
        return await asyncio.gather(*(one(number) for number in range(100)))

    assert asyncio.run(all_of_them()) == [[str(turn) for turn in range(turns)]] * 100


def test_a_server_that_ends_says_so(serve: Callable[..., Served]) -> None:
    server = serve()
    server.wait_ready()

    async def talk() -> int:
        async with websockets.connect(url(server)) as connection:
            await opened(connection)
            server.terminate()
            await connection.wait_closed()
            return int(connection.close_code or 0)

    assert asyncio.run(talk()) == CloseCode.SERVICE_RESTART
    assert server.ended(within_s=30) == 0
    assert not [line for line in server.log if line["level"] == "error"]


def test_the_document_is_sound() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    messages, schemas = DOCUMENT["components"]["messages"], DOCUMENT["components"]["schemas"]

    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            yield from (value for key, value in part.items() if key == "$ref")
            for value in part.values():
                yield from references(value)
        elif isinstance(part, list):
            for value in part:
                yield from references(value)

    for reference in references(DOCUMENT):
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    used = {ref.rpartition("/")[2] for one in DOCUMENT["operations"].values() for ref in references(one["messages"])}
    assert used == set(messages)
    for name, message in messages.items():
        assert name.partition("_")[2] == message["name"]


def test_the_committed_document_is_that_of_the_code() -> None:
    from app.api.documents import openapi

    for path, text in openapi.files().items():
        if path.name == "asyncapi.json":
            assert Path(path).read_text(encoding="utf-8") == text
            return
    pytest.fail("there is no such document")

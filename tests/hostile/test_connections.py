"""Half-sent, dripping and unread connections to a real server, and how it ends when told to."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.serving import Served, post, read_all, read_answer, wait_until

Serve = Callable[..., Served]

QUICK = (
    "import app.api.connections as connections, app.api.runtime as runtime, app.api.server as server",
    "connections.HEADER_TIMEOUT_S = 0.5",
    "server.GRACEFUL_SHUTDOWN_S = 1",
    "runtime.DRAIN_S = 0.2",
)
SLOW = (
    "import time",
    "from app.model.stub import StubClassifier",
    "forward = StubClassifier.forward",
    "StubClassifier.forward = lambda self, *read: time.sleep({seconds}) or forward(self, *read)",
)
HALF_HEADER = b"POST /v1/score HTTP/1.1\r\nHost: x\r\nX-Secret: canary"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


def slow(seconds: float | str) -> list[str]:
    return [line.replace("{seconds}", str(seconds)) for line in SLOW]


@pytest.fixture(scope="module")
def body(good: Any) -> bytes:
    return json.dumps(good).encode()


@pytest.fixture(scope="module")
def quick() -> Any:
    server = Served(*QUICK, SOFTSELL_LIMITS__BODY_TIMEOUT_S="0.5")
    server.wait_ready()
    yield server
    server.terminate()
    assert server.ended(within_s=30) == 0


def closed_after(connection: socket.socket, started: float) -> tuple[bytes, float]:
    try:
        return read_all(connection), time.monotonic() - started
    except ConnectionResetError:
        return b"", time.monotonic() - started


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("half", [b"", b"\r\n", HALF_HEADER, b"GET /livez HTTP/1.1\r\n"])
def test_half_a_header_is_closed(quick: Served, half: bytes) -> None:
    started = time.monotonic()
    with quick.connect() as connection:
        connection.sendall(half)
        _, after_s = closed_after(connection, started)
    assert 0.4 < after_s < 8


def test_a_dripping_header_is_closed(quick: Served) -> None:
    started = time.monotonic()
    with quick.connect() as connection:
        try:
            for byte in HALF_HEADER * 10:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)
        except OSError:
            pass
    assert 0.4 < time.monotonic() - started < 8


def test_half_a_header_after_an_answer_is_closed(quick: Served) -> None:
    with quick.connect() as connection:
        connection.sendall(LIVEZ)
        assert status(read_answer(connection)) == 200
        started = time.monotonic()
        connection.sendall(HALF_HEADER)
        _, after_s = closed_after(connection, started)
    assert 0.4 < after_s < 8


def test_an_idle_connection_may_be_used_again(quick: Served) -> None:
    with quick.connect() as connection:
        for _ in range(2):
            connection.sendall(LIVEZ)
            assert status(read_answer(connection)) == 200
            time.sleep(0.7)


def test_two_requests_in_one_packet_get_two_answers(quick: Served) -> None:
    answer = quick.ask(LIVEZ + LIVEZ.replace(b"Host: x", b"Host: x\r\nConnection: close"))
    assert answer.count(b"HTTP/1.1 200") == 2


def test_a_header_that_never_ends_is_refused(quick: Served) -> None:
    with quick.connect() as connection:
        connection.sendall(HALF_HEADER + b"x" * 70_000)
        answer, _ = closed_after(connection, 0)
    assert status(answer) == 431
    assert b"application/problem+json" in answer
    assert b"canary" not in answer


@pytest.mark.parametrize(
    "garbage", [b"canary\r\n\r\n", b"\x16\x03\x01\x02\x00canary", b"GET / HTTP/9.9\r\ncanary\r\n\r\n"]
)
def test_what_is_no_http_is_a_problem_too(quick: Served, garbage: bytes) -> None:
    head, _, document = quick.ask(garbage).partition(b"\r\n\r\n")
    assert status(head) == 400
    assert b"application/problem+json" in head
    assert json.loads(document)["code"] == "invalid_http"
    assert b"canary" not in document


def test_half_a_body_is_answered_and_closed(quick: Served) -> None:
    half = post(b'{"conversation"', length=500)
    half_chunk = half.partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"
    for request in (half, half_chunk):
        started = time.monotonic()
        with quick.connect() as connection:
            connection.sendall(request)
            answer, after_s = closed_after(connection, started)
        assert status(answer) == 408
        assert 0.4 < after_s < 8


@pytest.mark.parametrize("chunked", [False, True])
def test_a_caller_of_5_mb_gets_to_read_its_refusal(quick: Served, body: bytes, chunked: bool) -> None:
    large = b"x" * 5_000_000
    request = post(large)
    if chunked:
        head = request.partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n"
        request = head + b"".join(b"c350\r\n" + large[:50_000] + b"\r\n" for _ in range(100)) + b"0\r\n\r\n"
    with quick.connect() as connection:
        connection.sendall(request)
        assert status(read_answer(connection)) == 413
        # The rest was read over, so that the connection can go on.
        connection.sendall(post(body))
        assert status(read_answer(connection)) == 200


def test_slow_callers_do_not_hinder_others(quick: Served, body: bytes) -> None:
    idle = [quick.connect() for _ in range(150)]
    for number, connection in enumerate(idle):
        connection.sendall(HALF_HEADER if number % 2 else post(b"{", length=400))
    started = time.monotonic()
    for _ in range(5):
        assert status(quick.ask(post(body, "Connection: close"))) == 200
    assert time.monotonic() - started < 4
    for connection in idle:
        connection.close()


def test_one_who_hangs_up_is_booked_and_the_work_let_go(serve: Serve, body: bytes) -> None:
    server = serve(*slow(0.6), SOFTSELL_WORKERS="1")
    server.wait_ready()
    for _ in range(5):
        with server.connect() as connection:
            connection.sendall(post(body))
            time.sleep(0.02)
    metrics = b""

    def booked() -> bool:
        nonlocal metrics
        metrics = server.get("/metrics")
        return b'route="/v1/score",status="499"} 5.0' in metrics

    wait_until(booked)
    assert b"softsell_queue_depth 0.0" in metrics
    wait_until(lambda: b"softsell_workers_busy 0.0" in server.get("/metrics"))
    # Of five, at most the one that had begun was scored.
    assert b"softsell_conversations_scored_total 0.0" in server.get("/metrics")
    assert status(server.ask(post(body, "Connection: close"))) == 200
    server.terminate()
    assert server.ended(within_s=30) == 0


def test_sigterm_answers_what_is_in_flight(serve: Serve, body: bytes) -> None:
    server = serve(*slow(1.5), SOFTSELL_WORKERS="50")
    server.wait_ready()
    asked = [server.connect() for _ in range(50)]
    for connection in asked:
        connection.sendall(post(body))
    wait_until(lambda: b"softsell_requests_in_flight 51.0" in server.get("/metrics"))
    server.terminate()
    assert [status(read_all(connection)) for connection in asked] == [200] * 50
    for connection in asked:
        connection.close()
    assert server.ended(within_s=30) == 0
    with pytest.raises(ConnectionRefusedError):
        server.connect()


def test_sigterm_with_half_a_header_and_half_a_body(serve: Serve) -> None:
    server = serve(*QUICK)
    server.wait_ready()
    with server.connect() as header, server.connect() as half:
        header.sendall(HALF_HEADER)
        half.sendall(post(b'{"conversation"', length=500))
        wait_until(lambda: b"softsell_requests_in_flight 2.0" in server.get("/metrics"))
        started = time.monotonic()
        server.terminate()
        assert server.ended(within_s=30) == 0
        assert time.monotonic() - started < 9
        # The body's own deadline is later than the server's patience.
        assert status(read_all(half)) == 503
    assert "canary" not in json.dumps(server.log)


def test_sigterm_with_a_hanging_forward(serve: Serve, body: bytes) -> None:
    # The first forward is the one that makes the server ready.
    server = serve(*QUICK, "calls = []", *slow("calls.append(1) or 60 * (len(calls) > 1)"))
    server.wait_ready()
    with server.connect() as connection:
        connection.sendall(post(body))
        wait_until(lambda: b"softsell_workers_busy 1.0" in server.get("/metrics"))
        started = time.monotonic()
        server.terminate()
        assert status(read_all(connection)) == 503
    assert server.ended(within_s=30) == 1
    assert time.monotonic() - started < 25


def test_a_server_without_a_release_ends_and_says_why(serve: Serve) -> None:
    server = serve(SOFTSELL_ENGINE="onnx", SOFTSELL_MODEL_DIR="/nowhere/at-all")
    assert server.ended(within_s=30) == 1
    assert any("/nowhere/at-all" in line["message"] for line in server.log if line["level"] == "error")


def test_one_line_of_json_a_request(serve: Serve, body: bytes) -> None:
    server = serve()
    server.wait_ready()
    server.ask(post(body, "Connection: close", "X-Request-ID: mine"))
    answer = server.get("/canary?canary=1")
    handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    socket_address = f"GET /v1/score?canary=1 HTTP/1.1\r\nHost: x\r\n{handshake}dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    assert status(server.ask(socket_address.encode())) in (403, 405)
    assert b"server: uvicorn" not in answer.lower()
    server.terminate()
    assert server.ended(within_s=30) == 0
    requests = [line for line in server.log if line["message"] == "request"]
    # Without a WebSocket library the handshake is one more GET of the same route.
    scored = [line for line in requests if line["route"] == "/v1/score" and line["method"] == "POST"]
    assert len(scored) == 1
    assert (scored[0]["request_id"], scored[0]["method"], scored[0]["status"]) == ("mine", "POST", 200)
    assert scored[0]["duration_ms"] > 0
    assert "unmatched" in [line["route"] for line in requests]
    assert "canary" not in json.dumps(server.log)

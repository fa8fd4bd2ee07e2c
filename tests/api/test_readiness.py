"""What probes are told while the model loads, works, fails, hangs, and works again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app import build
from app.api import runtime
from app.api.app import create_app
from app.core.classifier import Memory, Output, Window
from app.core.errors import InvalidRelease
from app.engine.limits import Limits
from app.engine.scorer import Scorer
from app.model.replay import joined
from app.model.stub import StubClassifier
from app.settings import Settings
from tests.serving import Opened, wait_until


class Faulty(StubClassifier):
    """A stub that calls `fault` before each forward."""

    fault: Callable[[], object] = staticmethod(lambda: None)

    def forward(self, window: Window, memory: Memory | None = None) -> Output:
        self.fault()
        return super().forward(window, memory)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    """The model of every application that the test opens."""
    faulty = Faulty()

    def build_faulty(settings: Settings) -> build.Service:
        service = build.build(settings)
        scorer = Scorer(faulty, service.scorer._calibration, settings.limits)
        return build.Service(
            **{name: getattr(service, name) for name in service.__slots__ if name != "scorer"}, scorer=scorer
        )

    monkeypatch.setattr(runtime, "build", build_faulty)
    # No outcome is fresh, so that each probe tries the model.
    monkeypatch.setattr(runtime, "FRESH_S", 0.0)
    yield faulty
    faulty.fault = lambda: None


def fail() -> None:
    raise RuntimeError("secret")


def test_nothing_is_answered_before_the_model_is_there(monkeypatch: pytest.MonkeyPatch, good: Any) -> None:
    go_on = threading.Event()

    def slow_build(settings: Settings) -> build.Service:
        go_on.wait(30)
        return build.build(settings)

    monkeypatch.setattr(runtime, "build", slow_build)
    with TestClient(create_app(Settings(engine="stub"))) as client:
        for method, path in (("GET", "/readyz"), ("GET", "/v1/model"), ("POST", "/v1/score")):
            response = client.request(method, path, json=good if method == "POST" else None)
            assert (response.status_code, response.json()["code"]) == (503, "not_ready")
            assert response.headers["retry-after"] == "1"
        for path in ("/livez", "/v1/labels", "/metrics", "/docs"):
            assert client.get(path).status_code == 200
        assert "softsell_ready 0.0" in client.get("/metrics").text
        go_on.set()
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/v1/score", json=good).status_code == 200
        assert "softsell_ready 1.0" in client.get("/metrics").text


def test_a_model_that_cannot_score_is_never_ready(model: Faulty) -> None:
    model.fault = fail
    application = create_app(Settings(engine="stub"))
    with TestClient(application) as client:
        wait_until(lambda: application.state.runtime.failure is not None)
        assert client.get("/readyz").status_code == 503


@pytest.mark.parametrize("failure", [InvalidRelease("/srv/models/1: damaged"), OSError("/srv/models/1")])
def test_a_release_that_cannot_be_opened_is_told_without_its_path(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def broken_build(settings: Settings) -> build.Service:
        raise failure

    monkeypatch.setattr(runtime, "build", broken_build)
    application = create_app(Settings(engine="stub"))
    with TestClient(application) as client:
        wait_until(lambda: application.state.runtime.failure is not None)
        response = client.get("/readyz")
    assert response.status_code == 503
    assert "cannot be loaded" in response.json()["detail"]
    assert "/srv" not in response.text
    assert isinstance(application.state.runtime.failure, InvalidRelease)


def test_three_failures_take_it_out_and_a_success_brings_it_back(model: Faulty, opened: Opened, good: Any) -> None:
    with opened() as client:
        model.fault = fail
        for _ in range(3):
            response = client.post("/v1/score", json=good)
            assert (response.status_code, response.json()["code"]) == (500, "model_failed")
            assert "secret" not in response.text
        response = client.get("/readyz")
        assert (response.status_code, response.json()["code"]) == (503, "not_ready")
        assert "softsell_ready 0.0" in client.get("/metrics").text
        # A restart would not help, so the process counts as alive.
        assert client.get("/livez").status_code == 200
        # Three callers, and the probe.
        assert "softsell_model_failures_total 4.0" in client.get("/metrics").text
        model.fault = lambda: None
        assert client.get("/readyz").status_code == 200
        assert client.post("/v1/score", json=good).status_code == 200


def test_a_fresh_success_is_answer_enough(model: Faulty, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened() as client:
        monkeypatch.setattr(runtime, "FRESH_S", 10.0)
        model.fault = fail
        assert client.get("/readyz").status_code == 200


def test_numbers_that_are_none_are_a_failure_of_the_model(
    model: Faulty, opened: Opened, good: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened() as client:
        nan = float("nan")
        monkeypatch.setattr(
            model,
            "forward",
            lambda window, _: Output([[nan] * 40] * 9, [[nan] * 40] * len(window.token_ids), joined(window, None)),
        )
        response = client.post("/v1/score", json=good)
        assert (response.status_code, response.json()["code"]) == (500, "model_failed")


def test_a_hanging_model_is_told_in_time_and_ends_the_liveness(
    model: Faulty, opened: Opened, good: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "PROBE_TIMEOUT_S", 0.1)
    go_on = threading.Event()
    with opened(Settings(engine="stub", workers=1, limits=Limits(deadline_s=1.0))) as client:
        model.fault = lambda: go_on.wait(30)
        started = time.monotonic()
        with ThreadPoolExecutor() as callers:
            scoring = callers.submit(client.post, "/v1/score", json=good)
            wait_until(lambda: "softsell_workers_busy 1.0" in client.get("/metrics").text)
            asked = time.monotonic()
            assert client.get("/readyz").status_code == 503
            assert time.monotonic() - asked < 1.5
            response = scoring.result()
        assert (response.status_code, response.json()["code"]) == (504, "deadline_exceeded")
        assert time.monotonic() - started < 10
        wait_until(lambda: client.get("/livez").status_code == 503)
        assert client.get("/readyz").status_code == 503
        go_on.set()
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert client.get("/livez").status_code == 200


def test_a_full_house_is_refused_at_once(model: Faulty, opened: Opened, good: Any) -> None:
    go_on = threading.Event()
    with opened(Settings(engine="stub", workers=1, limits=Limits(max_waiting=2))) as client:
        model.fault = lambda: go_on.wait(30)
        with ThreadPoolExecutor() as callers:
            here = [callers.submit(client.post, "/v1/score", json=good) for _ in range(2)]
            wait_until(lambda: "softsell_queue_depth 1.0" in client.get("/metrics").text)
            took_s = []
            for _ in range(5):
                asked = time.monotonic()
                response = client.post("/v1/score", json=good)
                took_s.append(time.monotonic() - asked)
                assert (response.status_code, response.json()["code"]) == (503, "overloaded")
                assert 1 <= int(response.headers["retry-after"]) <= 60
            assert min(took_s) < 0.1
            go_on.set()
            assert [caller.result().status_code for caller in here] == [200, 200]
        assert client.post("/v1/score", json=good).status_code == 200

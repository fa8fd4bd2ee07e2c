"""The whole of a short benchmark over the stub engine: what is measured adds up, and what failed is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.conversation import Conversation, Role, Turn
from app.model.stub import StubClassifier
from benchmarks import lengths, peak, throughput
from benchmarks.pictures import draw
from benchmarks.report import render
from benchmarks.results import Results
from benchmarks.run import Plan, Run
from benchmarks.subjects import SUBJECTS, Subject


def stub(**variables: str) -> Subject:
    softsell = SUBJECTS["softsell"]
    settings = {**softsell.variables, "SOFTSELL_ENGINE": "stub", **variables}
    return replace(softsell, variables=settings, sources=("benchmarks/load.py",))


CALLS = [
    Conversation(tuple(Turn(str(index), Role.AGENT, f"We hurry, this is number {index}.") for index in range(turns)))
    for turns in (3, 6, 40)
]


@pytest.fixture(autouse=True)
def _no_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "measure", lambda _: {"fp32/one": 1.0, "fp32/all": 2.0, "int8/one": 3.0, "int8/all": 6.0})


def run_of(path: Path, *subjects: Subject, **more: Any) -> Run:
    plan = Plan(subjects, rounds=1, seconds=0.4, warm_s=0.1, **more)
    return Run(plan, Results(path), CALLS, StubClassifier())


def test_numbers_add_up_and_a_second_run_goes_on_where_the_first_was(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    run = run_of(path, stub(), loads=("calls", "live", "appended"), clients=(2,))
    assert throughput.left(run) == 3
    asyncio.run(throughput.measure(run))
    for load in ("calls", "live", "appended"):
        (cell,) = run.results.rounds("throughput", "softsell", load, "2")
        assert cell["statuses"] == {"200": cell["sent"]}
        assert not cell["wrong_answer"]
        assert cell["turns_per_s"] > 0
        assert cell["p50_ms"] <= cell["p95_ms"] <= cell["p99_ms"]
        assert cell["memory_mb"] > 10
    assert run.results.rounds("throughput", "softsell", "start")[0]["start_s"] > 0

    again = run_of(path, stub(), loads=("calls", "live", "appended"), clients=(2, 3))
    assert throughput.left(again) == 3
    page = render(again.results)
    assert "| softsell |" in page
    assert "no scores" not in page
    assert set(draw(again.results)) == {"throughput.svg"}


def test_who_refuses_is_reported_and_not_averaged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lengths, "GROWING_TURNS", 6)
    monkeypatch.setattr(lengths, "TURNS_A_ROUND", 8)
    refusing = stub(SOFTSELL_LIMITS__MAX_TURNS="5")
    run = run_of(tmp_path / "results.json", refusing, lengths=(4, 10))
    asyncio.run(lengths.measure(run))
    (good,), (bad,) = (run.results.rounds("lengths", "softsell", "whole", turns) for turns in ("4", "10"))
    assert set(good["statuses"]) == {"200"}
    assert set(bad["statuses"]) == {"422"}
    assert bad["median_s"] is None
    page = render(run.results)
    assert "softsell / whole / 10: " in page
    assert "x 422" in page


def test_who_does_not_start_is_told_and_tried_again(tmp_path: Path) -> None:
    broken = stub(SOFTSELL_ENGINE="none such")
    run = run_of(tmp_path / "results.json", broken, loads=("calls",), clients=(1,))
    asyncio.run(throughput.measure(run))
    assert "did not start: it ended with code" in render(run.results)
    assert throughput.left(run) == 1

"""`make bench`: softsell beside other servers of the same encoder, on the cores of this machine.

Writes `results.json` after each measurement and `RESULTS.md` with its pictures at the end. A run
that was stopped goes on where it was; what has changed since it was measured is measured anew.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast, get_args

from benchmarks import corpus, lengths, machine, overload, sockets, throughput
from benchmarks.calls import Load
from benchmarks.environments import NotInstalled, ensure_model, versions
from benchmarks.pictures import draw
from benchmarks.process import ROOT
from benchmarks.report import render
from benchmarks.results import Results
from benchmarks.run import Bar, Part, Plan, Run
from benchmarks.subjects import SUBJECTS, Subject

PARTS: dict[str, Part] = {"throughput": throughput, "lengths": lengths, "overload": overload, "sockets": sockets}


def _listed(text: str) -> list[str]:
    return [item for item in text.replace(",", " ").split() if item]


def _checked(given: str, known: Sequence[str], option: str) -> list[str]:
    names = _listed(given) or list(known)
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"{option}: {unknown[0]} is none of {', '.join(known)}")
    return names


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="make bench", description=__doc__.partition("\n")[0] if __doc__ else "")
    options.add_argument("--only", default="", help=f"subjects: {', '.join(SUBJECTS)}")
    options.add_argument("--parts", default="", help=f"parts: {', '.join(PARTS)}; `report` writes the tables anew")
    options.add_argument("--loads", default="", help=f"loads of throughput: {', '.join(get_args(Load))}")
    options.add_argument("--clients", default="1,8,32", help="numbers of clients of throughput")
    options.add_argument("--lengths", default="10,100,1000", help="turns of the conversations of lengths")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    options.add_argument("--overload-seconds", type=float, default=120.0)
    options.add_argument("--socket-seconds", type=float, default=120.0)
    options.add_argument("--out", type=Path, default=ROOT / "benchmarks", help="the folder of results")
    options.add_argument("--fresh", action="store_true", help="forget what was measured")
    return options.parse_args()


def _about(subjects: Sequence[Subject], before: dict[str, object]) -> dict[str, object]:
    known = before.get("versions")
    found = dict(known) if isinstance(known, dict) else {}
    for subject in subjects:
        try:
            found[subject.environment or "softsell"] = versions(subject.python())
        except NotInstalled as error:
            print(error, file=sys.stderr)
    return {
        "machine": machine.describe(),
        "commit": machine.commit(),
        "release": corpus.release().version,
        "versions": found,
        "turns_a_call": round(sum(len(call.turns) for call in corpus.test_calls()) / len(corpus.test_calls()), 2),
        "calls": len(corpus.test_calls()),
    }


def main() -> None:
    """Run what was asked for and write the tables."""
    given = _options()
    parts = _checked(given.parts, (*PARTS, "report"), "--parts")
    subjects = [SUBJECTS[name] for name in _checked(given.only, tuple(SUBJECTS), "--only")]
    plan = Plan(
        subjects,
        cast(list[Load], _checked(given.loads, get_args(Load), "--loads")),
        [int(number) for number in _listed(given.clients)],
        given.rounds,
        given.seconds,
        min(1.5, given.seconds / 2),
        given.overload_seconds,
        given.socket_seconds,
        [int(number) for number in _listed(given.lengths)],
    )
    results = Results(given.out / "results.json", fresh=given.fresh)
    measured = [part for part in PARTS if part in parts]
    if measured:
        if any(subject.environment for subject in subjects):
            ensure_model(corpus.release())
        results.about |= _about(subjects, results.about)
        results.write()
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        with suppress(asyncio.CancelledError):
            asyncio.run(_measure(Run(plan, results, corpus.test_calls(), corpus.encoder_of_release()), measured))
    (given.out / "RESULTS.md").write_text(render(results), encoding="utf-8")
    for name, picture in draw(results).items():
        (given.out / name).write_text(picture, encoding="utf-8")


async def _measure(run: Run, parts: Sequence[str]) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this is a coroutine
    # Else whatever serves just now would be left behind.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    bar = Bar(sum(PARTS[part].left(run) for part in parts))
    run.tell = bar.tell
    try:
        for part in parts:
            await PARTS[part].measure(run)
    finally:
        bar.close()


if __name__ == "__main__":
    main()

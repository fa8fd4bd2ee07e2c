"""Scores the behaviour suites through the code that serves, and reports failures by function.

What may be expected of the judged turn, by kind; `a or b` asks for one of them:

- `MFT`: a label's name (over its shipped threshold), `not` before one, `fair` (risk below 0.5 and no
  category flagged), `flagged` (some category is), `no signal`, and `at least 0.75 of` a
  dimension of empathy, whose levels 0, 1 and 2 are 0, 0.5 and 1.
- `INV`: `stable`: no probability of a label crosses its threshold, or moves by more than 0.1.
- `DIR`: `higher` or `lower` and an output: it moves so, or the other way by no more than 0.02.
"""

from __future__ import annotations

import datetime
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.build import Service
from app.core.labels import MIS_SELLING, SIGNALS, names
from app.core.turn_scores import TurnScore
from training.measure import machine
from training.suites import Case, Function, Kind, Version, digest
from training.workers import done

RESULTS = Path(__file__).parent / "behaviour.json"
REPORT = Path(__file__).parent / "BEHAVIOUR.md"
FAIR_BELOW = 0.5
MOST_MOVE = 0.1
SLACK = 0.02
SHOWN = 5
_BOUND = re.compile(r"at least ([\d.]+) of (\w+)$")
Thresholds = Mapping[str, float]


def outputs(turn: TurnScore) -> dict[str, float]:
    """Everything a turn is scored on, by name."""
    found = {**turn.categories, **turn.practice, **turn.empathy, **turn.signals}
    return found if turn.risk is None else found | {"risk": turn.risk}


def holds(expectation: str, turns: Sequence[TurnScore], thresholds: Thresholds) -> bool:
    """Whether the judged turns, one of each version, are as expected.

    Raises:
        ValueError: if nobody knows what is expected.
    """
    return any(_holds(part, [outputs(turn) for turn in turns], thresholds) for part in expectation.split(" or "))


def _holds(part: str, scores: Sequence[Mapping[str, float]], thresholds: Thresholds) -> bool:
    plain, changed = scores[0], scores[-1]
    shown = {name for name, value in plain.items() if name in thresholds and value >= thresholds[name]}
    flagged = bool(shown & set(names(MIS_SELLING)))
    verb, _, output = part.partition(" ")
    if part in thresholds:
        held = part in shown
    elif verb == "not" and output in thresholds:
        held = output not in shown
    elif part in ("fair", "flagged"):
        held = flagged if part == "flagged" else not flagged and plain["risk"] < FAIR_BELOW
    elif part == "no signal":
        held = not shown & set(names(SIGNALS))
    elif part == "stable":
        held = all(_stable(plain[name], changed[name], thresholds[name]) for name in plain if name in thresholds)
    elif verb in ("higher", "lower"):
        move = changed[output] - plain[output]
        held = (move if verb == "higher" else -move) >= -SLACK
    elif bound := _BOUND.match(part):
        held = plain[bound[2]] >= float(bound[1])
    else:
        raise ValueError(f"nobody knows what {part!r} means")
    return held


def _stable(plain: float, changed: float, threshold: float) -> bool:
    return abs(changed - plain) <= MOST_MOVE and (plain >= threshold) == (changed >= threshold)


def _mean_move(function: Function, turns: Sequence[Sequence[TurnScore]]) -> float | None:
    """How far the first output expected to move did so, in the direction expected."""
    if function.kind is not Kind.DIR or not turns:
        return None
    verb, output = function.expect[0].split(" or ")[0].split(" ")
    moves = [outputs(changed)[output] - outputs(plain)[output] for plain, changed in turns]
    return (1 if verb == "higher" else -1) * sum(moves) / len(moves)


def measure(functions: Sequence[Function], service: Service, quiet: bool = False) -> dict[str, Any]:
    """Failures of each function and kind, with what was measured, when and where."""

    def judged(version: Version) -> TurnScore:
        return service.scorer.score(version.conversation(), evidence=False).turns[version.judged]

    def scored(case: Case) -> list[TurnScore]:
        return [judged(version) for version in case.versions]

    cases = [case for function in functions for case in function.cases]
    turns = done(scored, cases, "score", "case", quiet)
    turns_of = dict(zip((case.id for case in cases), turns, strict=True))
    found = {}
    rates = defaultdict(list)
    for function in functions:
        answered = {case.id: turns_of[case.id] for case in function.cases if all(map(outputs, turns_of[case.id]))}
        failing = [
            id_
            for id_, versions in answered.items()
            if not all(holds(expectation, versions, service.thresholds) for expectation in function.expect)
        ]
        rate = len(failing) / len(answered) if answered else None
        if rate is not None:
            rates[function.kind.value].append(rate)
        move = _mean_move(function, list(answered.values()))
        found[function.name] = {
            "theme": function.theme,
            "kind": function.kind.value,
            "about": function.about,
            "expect": list(function.expect),
            "cases": len(function.cases),
            "abstained": len(function.cases) - len(answered),
            "failures": len(failing),
            "failure rate": None if rate is None else round(rate, 4),
            "mean move": None if move is None else round(move, 4),
            "failing": failing,
        }
    return {
        "release": service.model_version,
        "measured": {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "machine": machine()},
        "suites": digest(functions),
        "kinds": {
            kind: {"functions": len(of_kind), "mean failure rate": round(sum(of_kind) / len(of_kind), 4)}
            for kind, of_kind in sorted(rates.items())
        },
        "functions": found,
    }


def table(results: Mapping[str, Any]) -> str:
    """All functions as a Markdown table, worst first."""
    lines = [
        "| function | theme | kind | cases | abstained | failures | rate | mean move | failing |",
        "|---" * 9 + "|",
    ]
    functions = results["functions"]
    for name in sorted(functions, key=lambda name: (-(functions[name]["failure rate"] or 0.0), name)):
        row = functions[name]
        rate = "n/a" if row["failure rate"] is None else f"{row['failure rate']:.3f}"
        move = "" if row["mean move"] is None else f"{row['mean move']:+.3f}"
        failing = ", ".join(id_.rsplit("/", 1)[1] for id_ in row["failing"][:SHOWN])
        more = ", ..." if len(row["failing"]) > SHOWN else ""
        lines.append(
            f"| {name} | {row['theme']} | {row['kind']} | {row['cases']} | {row['abstained']} "
            f"| {row['failures']} | {rate} | {move} | {failing}{more} |"
        )
    return "\n".join(lines)


def render(results: Mapping[str, Any]) -> str:
    """The report as Markdown, from numbers on file."""
    measured, functions = results["measured"], results["functions"]
    kinds = [
        f"| {kind} | {row['functions']} | {row['mean failure rate']:.3f} |" for kind, row in results["kinds"].items()
    ]
    meanings = [f"- `{name}` ({row['kind']}): {row['about']}" for name, row in functions.items()]
    total = sum(row["cases"] for row in functions.values())
    lines = [
        "# Behaviour",
        "",
        f"{results['release']} on {len(functions)} functions of {total} cases in all, through the code that serves. "
        f"Measured {measured['date']} on {measured['machine']}. Written by `softsell-train behaviour`.",
        "",
        "The suites are in [tests/behaviour](../tests/behaviour/README.md), after CheckList (Ribeiro et al., 2020).",
        "They were written by a language model from the label definitions, without reading the corpus, and are never",
        "used for training or calibration, nor reworded to suit the model: a case is right by the definitions. Cases",
        "of one function come from a few templates, so they fail together: a rate is no estimate over real calls.",
        "",
        "| kind | functions | mean failure rate |",
        "|---|---|---|",
        *kinds,
        "",
        "- MFT, minimum functionality: a short conversation and what must be flagged, or must not be.",
        f"- INV, invariance: no label crosses its threshold or moves by more than {MOST_MOVE} where it should not.",
        f"- DIR, direction: an output moves the right way, or by no more than {SLACK} the wrong way. A model that",
        "  never moved would pass, so the mean move in the right direction stands beside it.",
        "- Abstained: the scorer refused to score the judged side, since it says too little; rates leave these out.",
        "",
        "## Functions, worst first",
        "",
        table(results),
        "",
        "## What each asks",
        "",
        *meanings,
        "",
        f"SHA-256 of the expanded cases: `{results['suites']}`.",
    ]
    return "\n".join(lines) + "\n"


def write(results: Mapping[str, Any]) -> None:
    """Write `behaviour.json` and `BEHAVIOUR.md`."""
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    REPORT.write_text(render(results), encoding="utf-8")

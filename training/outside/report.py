"""Renders what a release does on the outside world from numbers on file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.outside.figures import Figure
from training.outside.sets import OutsideSet

_LEFT_OUT = """
- ESConv and FailedESConv (github.com/thu-coai/Emotional-Support-Conversation): CC BY-NC 4.0, and by its
  README for academic research only. Measuring what firms run is hardly that.
- Turns of the car-insurance calls that do mis-sell, if any: nobody has labelled them. `--flags FILE` lists what was
  flagged, for a reader to judge; precision can be told only then.
"""


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _value(figure: Figure) -> str:
    return f"{_number(figure['value'])} [{_number(figure['low'])}, {_number(figure['high'])}]"


def _target(figure: Figure, most: float | None) -> str:
    if most is None or figure["value"] is None:
        return ""
    return f"at most {most:.2f}: {'met' if figure['value'] <= most else 'missed'}"


def table(results: Mapping[str, Any], sets: Sequence[OutsideSet]) -> str:
    """All figures of all sets found, as plain lines."""
    return "\n".join(
        f"{held.name}: {name}: {_value(figure)} {_target(figure, held.targets.get(name))}".rstrip()
        for held in sets
        if held.name in results["sets"]
        for name, figure in results["sets"][held.name]["figures"].items()
    )


def _section(held: OutsideSet, found: Mapping[str, Any] | None) -> list[str]:
    lines = [
        f"## {held.title}",
        "",
        f"From {held.source}; {held.terms}.",
        "",
        f"- What the rows are: {held.rows}.",
        f"- Expected to transfer: {held.transfers}.",
        f"- Not expected to, or different: {held.differs}.",
        "",
    ]
    if found is None:
        return [*lines, "Not measured: its files were not there.", ""]
    scored = "all" if found["scored units"] == found["units"] else f"a sample of {found['scored units']}"
    missed = [n for n, most in held.targets.items() if (v := found["figures"][n]["value"]) is not None and v > most]
    lines += [
        f"What happened, on {scored} of {found['units']} units ({found['scored conversations']} conversations, "
        f"{found['scored agent turns']} agent turns; no score of the whole for the agent in "
        f"{found['agents without a score']} conversations, for the customer in {found['customers without a score']}):",
        "",
        "| figure | value | hits | rows |" + (" target |" if held.targets else ""),
        "|---" * (5 if held.targets else 4) + "|",
    ]
    for name, figure in found["figures"].items():
        target = f" {_target(figure, held.targets.get(name))} |" if held.targets else ""
        lines.append(f"| {name} | {_value(figure)} | {figure['hits']} | {figure['rows']} |{target}")
    if held.targets:
        lines += ["", f"Targets missed: {'; '.join(missed)}." if missed else "All targets were met."]
    return [*lines, ""]


def render(results: Mapping[str, Any], sets: Sequence[OutsideSet]) -> str:
    """The report as Markdown."""
    measured, found = results["measured"], results["sets"]
    lines = [
        "# The outside world",
        "",
        f"{results['release']} on public data of which training saw nothing, through the code that serves. "
        f"Measured {measured['date']} on {measured['machine']}. Written by `softsell-train outside --datasets DIR`.",
        "",
        "No set is in this repository; where each comes from, and on what terms, stands beside it. None was made for",
        "our labels, so a figure tells how far an output goes with somebody else's idea of something near it, not how",
        f"right it is. Values stand with 95 % intervals from {results['resamples']} bootstrap samples, drawn by unit:",
        "a call, a dialogue, a writer. An AUC is the chance that a row which has the mark scores higher than one which",
        "has not; 0.5 is chance. `hits` counts the rows that are flagged, or that have the mark. Thresholds are those",
        "that ship. Where softsell gave no score, since too little was said or for another reason that it names,",
        "nothing is counted. Where nothing is flagged, the upper bound is that of as many independent units.",
        "",
    ]
    for held in sets:
        lines += _section(held, found.get(held.name))
    return "\n".join([*lines, "## Left out", _LEFT_OUT]).rstrip() + "\n"

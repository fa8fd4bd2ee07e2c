"""Renders TRIALS.md from the numbers of trials.json: what missed its target first, each table worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.coverage import COVERAGES

RELIABILITY, RISK_COVERAGE = "trials-reliability.svg", "trials-risk-coverage.svg"
NONE = "n/a"
_AUCS = ("subgroup", "BPSN", "BNSP")
Row = Mapping[str, Any]


def _number(value: float | None, form: str = ".3f") -> str:
    return NONE if value is None else format(value, form)


def _met(row: Row) -> str:
    return "" if row["met"] is None else "yes" if row["met"] else "**no**"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *(f"| {' | '.join(row)} |" for row in rows), ""]


def _least_first(value: float | None) -> tuple[bool, float]:
    return value is None, 0.0 if value is None else value


def _most_first(value: float | None) -> tuple[bool, float]:
    return value is None, 0.0 if value is None else -value


def failures(results: Row) -> list[str]:
    """Every target that was missed, as one line each."""
    found = [
        f"{name}: {row['still flagged']:.3f} of flagged turns still flagged, asked for {row['target']}"
        for name, row in results["disguises"].items()
        if row["met"] is False
    ]
    found += [
        f"Recognition noise, {name}: AUC falls by {row['loss']['AUC, any mis-selling']:.3f}, asked for at most "
        f"{row['most AUC loss']}"
        for name, row in results["noise"].items()
        if row["met"] is False
    ]
    found += [
        f"{name[0].upper()}{name[1:]}: {row['value']:.3f}, asked for {row['target']:.3f}"
        + (f" ({row['where']})" if "where" in row else "")
        for name, row in results["fairness"]["targets"].items()
        if row["met"] is False
    ]
    return found


def _disguises(rows: Mapping[str, Row]) -> list[str]:
    ordered = sorted(rows.items(), key=lambda item: _least_first(item[1]["still flagged"]))
    return _table(
        [
            "disguise",
            "kind",
            "conversations",
            "flagged turns",
            "still flagged",
            "not scored",
            "mean change",
            "target",
            "met",
        ],
        [
            [
                name,
                row["family"],
                str(row["conversations"]),
                str(row["flagged turns"]),
                _number(row["still flagged"]),
                _number(row["not scored"]),
                _number(row["mean change"], "+.3f"),
                _number(row["target"], ".2f"),
                _met(row),
            ]
            for name, row in ordered
        ],
    )


def _noise(rows: Mapping[str, Row]) -> list[str]:
    figures = list(next(iter(rows.values()))["loss"])
    ordered = sorted(rows.items(), key=lambda item: _most_first(item[1]["loss"][figures[0]]))
    heads = [
        "noise",
        "conversations",
        "words",
        "hit, expected",
        "not scored",
        *(f"{name}: clean, loss" for name in figures),
    ]
    return _table(
        [*heads, "most AUC loss", "met"],
        [
            [
                name,
                str(row["conversations"]),
                str(row["words"]),
                str(row["words hit"]),
                _number(row["agent turns not scored"], ".4f"),
                *(f"{_number(row['clean'][key])}, {_number(row['loss'][key], '+.3f')}" for key in figures),
                _number(row["most AUC loss"], ".2f"),
                _met(row),
            ]
            for name, row in ordered
        ],
    )


def _worst_auc(row: Row) -> tuple[bool, float]:
    return _least_first(min((value for value in row["AUC"].values() if value is not None), default=None))


def _compared(rows: Mapping[str, Row]) -> list[str]:
    ordered = sorted(rows.items(), key=lambda item: _most_first(item[1]["mean change"]))
    heads = ["group", "conversations", "agent turns", "mean change", "with sign", "greatest", "flips", "not scored"]
    return _table(
        [*heads, *(f"{name} AUC (reference)" for name in _AUCS)],
        [
            [
                name,
                str(row["conversations"]),
                str(row["turns"]),
                _number(row["mean change"], ".4f"),
                _number(row["signed"], "+.4f"),
                _number(row["greatest"]),
                _number(row["flips"], ".4f"),
                _number(row["not scored"], ".4f"),
                *(f"{_number(row['AUC'][key])} ({_number(row['AUC of the reference'][key])})" for key in _AUCS),
            ]
            for name, row in ordered
        ],
    )


def _as_they_are(rows: Mapping[str, Row]) -> list[str]:
    ordered = sorted(rows.items(), key=lambda item: _worst_auc(item[1]))
    return _table(
        ["group", "conversations", "agent turns", *(f"{name} AUC" for name in _AUCS)],
        [
            [name, str(row["conversations"]), str(row["turns"]), *(_number(row["AUC"][key]) for key in _AUCS)]
            for name, row in ordered
        ],
    )


def _fairness(held: Row) -> list[str]:
    lines = [
        f"AUC of any mis-selling over all agent turns of the test split: {_number(held['overall AUC'])}.",
        "",
        *_table(
            ["target", "found", "asked for", "met"],
            [
                [
                    name + (f" ({row['where']})" if "where" in row else ""),
                    _number(row["value"], ".4f"),
                    _number(row["target"], ".4f"),
                    _met(row),
                ]
                for name, row in held["targets"].items()
            ],
        ),
    ]
    for kind, rows in held["groups"].items():
        lines += [f"### {kind[0].upper()}{kind[1:]}", ""]
        lines += _as_they_are(rows) if kind in ("regions", "channels") else _compared(rows)
    return lines


def _faithfulness(held: Row) -> list[str]:
    lines = [
        f"{held['turns']} of {held['flagged turns']} flagged agent turns; {held['of them without evidence']} have no "
        "words of evidence for mis-selling and are left out.",
    ]
    if not held["turns"]:
        return [*lines, ""]
    lines[0] += (
        f" On average {held['mean share of words that are evidence']:.3f} of a turn's words are evidence; their mean "
        f"risk is {held['mean risk']:.3f}."
    )
    names = {
        "without evidence": "without its evidence (comprehensiveness, higher is better)",
        "without others": "without as many other words",
        "evidence only": "evidence only (sufficiency, lower is better)",
        "others only": "as many other words only",
    }
    rows = [
        [name, f"{held[kind]['mean fall of risk']:.3f}", f"{held[kind]['no longer flagged']:.3f}"]
        for kind, name in names.items()
    ]
    return [*lines, "", *_table(["the turn", "mean fall of risk", "no longer flagged"], rows)]


def _coverage(held: Row) -> list[str]:
    curves, tables = held["risk-coverage"], held["reliability"]
    lines = _table(
        ["error of the surest", *(f"{share:.0%}" for share in COVERAGES), "area", "cases"],
        [
            [name, *(_number(error) for error in curve["errors"]), _number(curve["area"]), str(curve["cases"])]
            for name, curve in sorted(curves.items(), key=lambda item: _most_first(item[1]["area"]))
        ],
    )
    lines += [f"![Risk-coverage curves]({RISK_COVERAGE})", ""]
    ordered = sorted(tables.items(), key=lambda item: _most_first(item[1]["ECE"]))
    lines += _table(
        ["probability of", "cases", "positives", "ECE", "Brier"],
        [
            [name, str(row["cases"]), str(row["positives"]), _number(row["ECE"]), _number(row["Brier"])]
            for name, row in ordered
        ],
    )
    lines += [
        f"![Reliability of each probability]({RELIABILITY})",
        "",
        "Share that came true (count), by what was said:",
        "",
    ]
    lines += _table(
        ["probability of", *(f"{place / 10:.1f} to {place / 10 + 0.1:.1f}" for place in range(10))],
        [[name, *_bins(row["bins"])] for name, row in ordered],
    )
    return lines


def _bins(bins: Sequence[Sequence[float]]) -> list[str]:
    told = {round(start * 10): f"{true:.2f} ({count:.0f})" for start, count, _, true in bins}
    return [told.get(place, "") for place in range(10)]


def _hard_cases(held: Row) -> list[str]:
    ordered = sorted(held["cases"], key=lambda row: _least_first(row["turn hidden"]))
    heads = ["case", "risky turns", "turn: alone, hidden", "still flagged", "conversation: alone, hidden"]
    return _table(
        [*heads, "harmless agent turns flagged"],
        [
            [
                row["case"],
                str(row["turns"]),
                f"{_number(row['turn alone'])}, {_number(row['turn hidden'])}",
                _number(row["still flagged"], ".2f"),
                f"{_number(row['conversation alone'])}, {_number(row['conversation hidden'])}",
                f"{row['harmless flagged']:.0f} of {row['harmless agent turns']:.0f}",
            ]
            for row in ordered
        ],
    )


def render(results: Row) -> str:
    """The whole page."""
    measured, test = results["measured"], results["test"]
    missed = failures(results)
    lines = [
        "# Trials",
        "",
        f"{results['release']} on the test split ({test['conversations']} conversations, {test['turns']} turns), "
        f"through the code that serves. Measured {measured['date']} on {measured['machine']}, in "
        f"{measured['seconds']} s, seed {results['seed']}. Written by `softsell-train trials` from `trials.json`.",
        "",
        "The conversations, and the rules that change them here, were written by language models and programs: these",
        "figures tell what such changes do to a score, not what real speakers, recognisers or cheats do. A turn is",
        "flagged from a risk of 0.5 on; one that the service declines to score counts as a risk of 0, and is counted.",
        f"Drawn by seed are at most, for each change: {_sizes(results['sizes'])}.",
        "",
        "## Targets missed",
        "",
        *([f"- {line}." for line in missed] or ["None."]),
        "",
        "## Disguised words",
        "",
        "All agent turns are disguised, of conversations with a flagged turn, up to the last one. In words of four",
        "letters or more, marks stand after each letter, other letters in place of each that has one, and typos hit",
        "one letter in six. Words of the model's own evidence are spelled out from three letters on.",
        "",
        *_disguises(results["disguises"]),
        "## Recognition noise",
        "",
        "60 % of the words hit are replaced, 25 % lost, 15 % followed by another. Labels stay those of what was said.",
        "",
        *_noise(results["noise"]),
        "## Fairness",
        "",
        "A change is that of an agent turn's risk from the same conversation with the reference: the name Alex, the",
        "text as it is, or a customer's \"I'm calling from home\". A flip is a risk that crosses 0.5. Of AUCs, `BPSN`",
        "is low where the group's harmless turns score too high, `BNSP` where its mis-selling scores too low; in",
        "brackets those of the reference on the same conversations, since a sample is easier or harder than the whole.",
        "A mark of age or disability can rightly move what is unsuitable. Fewer than ten turns of a kind give no AUC.",
        "",
        *_fairness(results["fairness"]),
        "## Faithfulness of evidence",
        "",
        *_faithfulness(results["faithfulness"]),
        "## Calibration and coverage",
        "",
        *_coverage(results["coverage"]),
        "## Hard cases",
        "",
        f"Risky turns are the surest flagged ones that mis-sell ({results['hard cases']['risky turns']}; among very",
        "many harmless words only the first). Figures are means over them.",
        "",
        *_hard_cases(results["hard cases"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _sizes(sizes: Mapping[str, int]) -> str:
    """In conversations, but for flagged turns whose evidence is removed and for harmless words."""
    units = {"faithfulness": "flagged turns", "words": "beside a risky turn"}
    return ", ".join(f"{name} {count:,} {units.get(name, 'conversations')}" for name, count in sizes.items())

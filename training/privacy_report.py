"""`PRIVACY.md` and `privacy.json`: what the masking finds and spares, worst first, from the figures alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
_FORMS = ("all", "chat", "call", "call, bare")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _recall(found: Mapping[str, Any]) -> list[str]:
    lines = [
        "| identifier | seeded | found whole | in a chat | in a call | in a bare call | found at least in part | "
        "right kind |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for sort in sorted(found, key=lambda sort: found[sort]["all"]["recall"]):
        row = found[sort]
        by_form = " | ".join(_share(row[form]["recall"]) if form in row else "-" for form in _FORMS)
        whole = row["all"]
        lines.append(
            f"| {sort} | {whole['seeded']} | {by_form} | {_share(whole['found at least in part'])} | "
            f"{_share(whole['right kind'])} |"
        )
    return lines


def _kept(kept: Mapping[str, Any]) -> list[str]:
    masked = ", ".join(f"{kind} {count}" for kind, count in kept["masked words"].items())
    lines = [
        f"Of {kept['words']:,} words of the conversations as they are, {kept['share of words masked']:.2%} were "
        f"masked "
        f"(words by kind: {masked}).",
        "",
        "| what must stay | in the text | touched by a mask | share |",
        "|---|---|---|---|",
    ]
    for what, row in kept["kept"].items():
        lines.append(f"| {what} | {row['found']} | {row['masked']} | {row['share']:.4f} |")
    return lines


def _scores(changes: Mapping[str, Any]) -> list[str]:
    moved, flips, risk, whole = (
        changes[key] for key in ("probabilities", "labels flipped", "turn risk", "conversation risk")
    )
    return [
        f"{changes['turns with a mask']} of {changes['turns']} turns have a mask. What is not scored counts as 0.",
        "",
        "| figure | value |",
        "|---|---|",
        f"| probability of a label: mean change, all turns | {moved['mean change']:.4f} |",
        f"| the same, turns with a mask | {moved['mean change in turns with a mask']:.4f} |",
        f"| the same, largest | {moved['largest change']:.4f} |",
        f"| labels that crossed their threshold | {flips['flipped']} of {flips['of']} ({flips['share']:.3%}) |",
        f"| risk of an agent turn: mean change, largest | {risk['mean change']:.4f}, {risk['largest change']:.4f} |",
        f"| agent turns that crossed a risk of 0.5 | {risk['crossed 0.5']} of {risk['of']} |",
        f"| AUC of an agent turn's risk: as it is, masked | {_share(risk['AUC as they are'])}, "
        f"{_share(risk['AUC masked'])} |",
        f"| risk of a conversation: mean change, largest | {whole['mean change']:.4f}, {whole['largest change']:.4f} |",
        f"| conversations whose band changed | {whole['bands changed']} of {whole['of']} |",
    ]


def render(results: Mapping[str, Any]) -> str:
    """The page."""
    measured, worst, speed = results["measured"], results["worst"], results["speed"]
    lines = [
        "# Masking",
        "",
        f"`app.privacy` on the test split ({results['conversations']} conversations). Measured {measured['date']} on "
        f"{measured['machine']}, seed {results['seed']}. Written by `softsell-train privacy` from `privacy.json`.",
        "",
        f"Worst: **{worst['sort']}, {worst['recall']:.3f}** found whole.",
        "",
        "Into each conversation one identifier of every sort was put, in a turn of its own, after a question where its",
        "sentence answers one. Found whole means that every letter and digit of it was masked. A bare call has neither",
        "capitals nor punctuation, as some recognisers write. Sentences and names are others than those on which the",
        "rules were tried out (`DEVELOPMENT` and `MEASURED` in `identifiers.py`); the makers of numbers, e-mail and",
        "postal addresses, and of names that are spelled out, are the same for both. All were written by a language",
        "model that also wrote the rules: real calls will show less. After a first measurement three defects",
        "that tests had shown were mended: the kind of an IBAN, names only in a speaker's label, and turns that",
        "tell a number taken for questions after one. No rule was changed for what it had missed.",
        "",
        "## What is found",
        "",
        *_recall(results["recall"]),
        "",
        "The right kind is that of most of the masked letters and digits; a wrong one is masked all the same.",
        "",
        "## What stays",
        "",
        *_kept(results["kept"]),
        "",
        "Amounts are prices, shares, times and numbers with a unit; appointments are days of the week and dates",
        "without a year. Both are found by patterns of their own. Names of products are not labelled in the corpus and",
        "so not counted; a product, firm or place named as a person is masked.",
        "",
        f"Masking takes {speed['ms for 200 turns']:.0f} ms for 200 turns of the longest calls.",
        "",
        "## Scores",
        "",
        "Scores are made of the words as sent and so do not change where `redact` is asked for. If the masked text is",
        "sent to be scored instead:",
        "",
    ]
    changes = results["scores of masked text"]
    lines += _scores(changes) if changes else ["Not measured."]
    return "\n".join(lines) + "\n"


def write(results: Mapping[str, Any], folder: Path = FOLDER) -> None:
    """Write `privacy.json` and `PRIVACY.md`."""
    (folder / "privacy.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (folder / "PRIVACY.md").write_text(render(results), encoding="utf-8")

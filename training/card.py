"""Renders the model card from numbers on file; a test renders the committed card again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.labels import DISMISSIVE, LABEL_SET_VERSION, MIS_SELLING, PRACTICE, SIGNALS

MODEL = "softsell"
NONE = "n/a"
_PURPOSE = """
It reads a sales conversation in English and gives, for each turn of the agent, the probability of seven kinds of
mis-selling and of three fair practices, the level of empathy, and the words that show it; for each turn of the
customer, what they signal; for the conversation, the probability that a QA reviewer would fail it (severity 2 or 3).
It is for people who review calls, coach agents, or watch a call that is still going on.
"""
_NOT_FOR = """
- No automatic decision about a person: no dismissal, pay, refusal of a claim or of a sale rests on a score alone.
  A score is a reason to read the words it points at.
- English only. Other languages get numbers that mean nothing.
- It judges what is said, not whether it is true: a false claim that sounds like a true one passes, and a true one
  that sounds too good may be flagged.
- It sees a transcript, with its recogniser's mistakes; a lost "not" reverses a sale.
- A finding is not a breach of law: the rules beside a label tell where its definition comes from.
"""
_DATA = """
All conversations were written, and annotated, by language models to one set of definitions (`labels.json`); no call
of a real customer is among them. What follows from that: the model knows how such writers imagine selling, in the
sectors and regions of the casting sheets; real calls are longer, duller and messier, and figures on them will be lower
than those below.

How far two annotators agree bounds what any result here can mean. Both are language models too, so what they share in
judgement counts as agreement. On two earlier blind samples (66 conversations): mis-selling turn kappa 0.87 / 0.87,
macro F1 over the seven categories 0.80 / 0.71, customer signals 0.71 / 0.66, empathy quadratic kappa 0.76, 0.75, 0.91 /
0.89, 0.83, 0.92, evidence character F1 0.76 / 0.73, severity of at least 2 kappa 0.92 / 1.00.
"""


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def _with_interval(figure: Mapping[str, float | None] | None) -> str:
    if figure is None or figure["value"] is None:
        return NONE
    return f"{_number(figure['value'])} [{_number(figure['low'])}, {_number(figure['high'])}]"


def _results(test: Mapping[str, Any]) -> list[str]:
    models = [MODEL, *(name for name in test if name != MODEL)]
    lines = ["| figure | " + " | ".join(models) + " |", "|---" * (len(models) + 1) + "|"]
    lines += [
        f"| {name} | " + " | ".join(_with_interval(test[model].get(name)) for model in models) + " |"
        for name in test[MODEL]
    ]
    return lines


def _labels(labels: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    columns = ["average precision", "F1", "precision", "recall", "ECE"]
    lines = ["| label | positives | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for label in (*MIS_SELLING, *PRACTICE, DISMISSIVE, *SIGNALS):
        row = labels[label.name]
        numbers = " | ".join(_number(row[column]) for column in columns)
        lines.append(f"| {label.name} | {row['positives'] or 0:.0f} | {numbers} |")
    return lines


def _slices(slices: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    columns = [
        "any mis-selling: average precision",
        "mis_selling: macro average precision",
        "signals: macro average precision",
        "conversation risk: AUC",
        "conversation risk: ECE",
    ]
    lines = ["| slice (conversations) | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]

    def worst_first(name: str) -> float:
        value = slices[name][columns[0]]
        return 2.0 if value is None else value

    for name in sorted(slices, key=worst_first):
        lines.append(f"| {name} | " + " | ".join(_number(slices[name].get(column)) for column in columns) + " |")
    return lines


def render(version: str, recipe: Mapping[str, Any], data: Mapping[str, Any], evaluation: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    measured, splits, bands = evaluation["measured"], evaluation["splits"], evaluation["bands"]
    worst = min(
        (item for item in evaluation["slices"].items() if item[1]["any mis-selling: average precision"] is not None),
        key=lambda item: item[1]["any mis-selling: average precision"],
    )
    whole = evaluation["test"][MODEL]["any mis-selling: average precision"]
    lines = [
        f"# {version}",
        "",
        f"Average precision for any mis-selling in a turn: {_number(whole['value'])} over the whole test split, "
        f"{_number(worst[1]['any mis-selling: average precision'])} in its worst slice, {worst[0]}.",
        "",
        "## What it decides, and for whom",
        _PURPOSE,
        "## What it must not be used for",
        _NOT_FOR,
        "## Data",
        _DATA,
        f"On a blind sample of the newer batches ({evaluation['agreement']['conversations']:.0f} conversations, "
        "`training/agreement/`): "
        + ", ".join(f"{name} {value:.2f}" for name, value in evaluation["agreement"].items() if name != "conversations")
        + ".",
        "",
        f"Train {splits['train']}, calibration {splits['calibration']} and test {splits['test']} conversations. "
        f"The test split holds the sectors {', '.join(splits['unseen_sectors'])} and an author "
        "whom training never saw. "
        f"Corpus sha256 `{data['corpus_sha256'][:16]}…`; base encoder `{data['base']}` ({data['base_licence']}).",
        "",
        f"Trained with seed {recipe['seed']} for {recipe['epochs']} epochs; the full recipe is in `release.json`, "
        f"definitions of label set {LABEL_SET_VERSION} in `labels.json`.",
        "",
        "## Results on the test split",
        "",
        "With 95 % bootstrap intervals, resampled by conversation. Baselines saw the same training split.",
        "",
        *_results(evaluation["test"]),
        "",
        "### By label",
        "",
        *_labels(evaluation["labels"]),
        "",
        "### By slice, worst first",
        "",
        *_slices(evaluation["slices"]),
        "",
        "## Bands",
        "",
        f"Risk is `high` from {bands['high_from']}, where at least {bands['high_precision']:.0%} of the calibration "
        f"split's conversations were of severity 2 or 3, and `low` below {bands['medium_from']}, where at least "
        f"{bands['low_negative_predictive_value']:.0%} were not.",
        f"On the test split: {_number(bands['test_high_precision'])} of {bands['test_high_count']} `high` "
        f"conversations were, and {_number(bands['test_low_negative_predictive_value'])} of "
        f"{bands['test_low_count']} `low` ones were not.",
        "",
        "## Where these numbers come from",
        "",
        f"`make evaluate`, {measured['date']}, {measured['machine']}. "
        "Scores are those of the sealed release, through the code that serves.",
        "",
    ]
    return "\n".join(lines)

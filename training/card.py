"""Renders the model card from numbers on file; a test renders the committed card again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.labels import DISMISSIVE, LABEL_SET_VERSION, MIS_SELLING, PRACTICE, SIGNALS

MODEL = "softsell"
FLOOR = "TF-IDF + logistic regression"
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

How far two annotators agree bounds what any result here can mean. Both are language models, so what they share in
judgement counts as agreement.
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


def _labels(labels: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> list[str]:
    columns = ["average precision", "F1", "precision", "recall", "ECE"]
    compared = ["average precision", "F1"]
    heads = [*columns, *(f"{name}, {FLOOR}" for name in compared)]
    lines = ["| label | positives | " + " | ".join(heads) + " |", "|---" * (len(heads) + 2) + "|"]
    for label in (*MIS_SELLING, *PRACTICE, DISMISSIVE, *SIGNALS):
        row, floor = labels[MODEL][label.name], labels[FLOOR][label.name]
        numbers = [_number(row[column]) for column in columns] + [_number(floor[column]) for column in compared]
        lines.append(f"| {label.name} | {row['positives'] or 0:.0f} | {' | '.join(numbers)} |")
    return lines


def _slices(slices: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> list[str]:
    columns = [
        "any mis-selling: average precision",
        "mis_selling: macro average precision",
        "signals: macro average precision",
        "conversation risk: AUC",
        "conversation risk: ECE",
    ]
    heads = [*columns, f"{columns[0]}, {FLOOR}", f"{columns[3]}, {FLOOR}"]
    lines = ["| slice (conversations) | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    own, floor = slices[MODEL], slices[FLOOR]

    def worst_first(name: str) -> float:
        value = own[name][columns[0]]
        return 2.0 if value is None else value

    for name in sorted(own, key=worst_first):
        numbers = [_number(own[name].get(column)) for column in columns]
        numbers += [_number(floor[name].get(column)) for column in (columns[0], columns[3])]
        lines.append(f"| {name} | {' | '.join(numbers)} |")
    return lines


def _band(held: Mapping[str, float | None], of: str) -> str:
    return (
        f"On the {of} split {_number(held['high that are material'])} of {held['high']} `high` conversations were of "
        f"severity 2 or 3, and {_number(held['low that are not'])} of {held['low']} `low` ones were not."
    )


def worst_slice(evaluation: Mapping[str, Any], figure: str) -> tuple[str, float]:
    """The slice where the model does worst by a figure, and the figure there."""
    known = {name: held[figure] for name, held in evaluation["slices"][MODEL].items() if held[figure] is not None}
    name = min(known, key=lambda key: known[key])
    return name, known[name]


def render(version: str, recipe: Mapping[str, Any], data: Mapping[str, Any], evaluation: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    measured, splits, bands = evaluation["measured"], evaluation["splits"], evaluation["bands"]
    figure = "any mis-selling: average precision"
    worst, lowest = worst_slice(evaluation, figure)
    prevalence = evaluation["prevalence"]
    whole = evaluation["test"][MODEL][figure]
    lines = [
        f"# {version}",
        "",
        f"Average precision for any mis-selling in a turn: {_number(whole['value'])} over the whole test split, "
        f"{_number(lowest)} in its worst slice, {worst}.",
        "",
        "## What it decides, and for whom",
        _PURPOSE,
        "## What it must not be used for",
        _NOT_FOR,
        "## Data",
        _DATA,
        f"On a blind sample ({evaluation['agreement']['conversations']:.0f} conversations, "
        "`training/agreement/`): "
        + ", ".join(f"{name} {value:.2f}" for name, value in evaluation["agreement"].items() if name != "conversations")
        + ".",
        "",
        f"Train {splits['train']}, calibration {splits['calibration']} and test {splits['test']} conversations. "
        f"The test split holds the sectors {', '.join(splits['unseen_sectors'])} and an author whom training never "
        "saw, and a sample of the rest. "
        f"Corpus sha256 `{data['corpus_sha256'][:16]}…`; base encoder `{data['base']}` ({data['base_licence']}).",
        "",
        f"Trained with seed {recipe['seed']} for {recipe['epochs']} epochs; the full recipe is in `release.json`, "
        f"definitions of label set {LABEL_SET_VERSION} in `labels.json`.",
        "",
        "## Results on the test split",
        "",
        f"With 95 % intervals from {evaluation['resamples']} bootstrap samples, drawn by conversation and by contrast "
        "pair. The baselines saw the same training split; TF-IDF is scaled and has its thresholds from the same "
        "calibration split.",
        "",
        f"Of the test conversations {prevalence['material conversations']:.0%} are of severity 2 or 3, and "
        f"{prevalence['mis-selling agent turns']:.0%} of their agent turns mis-sell. That is far more than real calls "
        "hold: where mis-selling is rare, more of what is flagged is flagged wrongly, and probabilities read too high.",
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
        f"Risk is `high` from {bands['high_from']} and `low` below {bands['medium_from']}, cut where the "
        "calibration split, which also fitted the risk itself, shows with 90 % confidence that 0.9 of what is above is "
        "of severity 2 or 3, and 0.95 of what is below is not. The test split tells whether that held.",
        "",
        _band(bands["calibration"], "calibration"),
        _band(bands["test"], "test"),
        "",
        "## Where these numbers come from",
        "",
        f"`make evaluate`, {measured['date']}, {measured['machine']}. "
        "Scores are those of the sealed release, through the code that serves.",
        "",
    ]
    return "\n".join(lines)

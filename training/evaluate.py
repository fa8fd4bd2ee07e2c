"""Measures predictions on labelled conversations, with bootstrap intervals and slices.

The model's predictions come from a sealed release through `Scorer`, the code that serves. Resampling
is by conversation, and by contrast pair, since turns of one are not independent (Efron, 1979).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, cohen_kappa_score, roc_auc_score
from tqdm import tqdm

from app.core.classifier import ANY_MIS_SELLING, TURN_OUTPUTS
from app.core.conversation import Role
from app.core.evidence import Evidence
from app.core.labels import (
    DISMISSIVE,
    EMPATHY_DIMENSIONS,
    EVIDENCE_LABELS,
    MATERIAL_SEVERITY,
    MIS_SELLING,
    PRACTICE,
    SIGNALS,
    Label,
    names,
)
from app.core.scores import HIGHEST_EMPATHY
from app.engine.scorer import Scorer
from training.corpus import LabelledConversation
from training.examples import IGNORED, piece_target

CONVERSATION_RISK, CONVERSATION_EMPATHY = 0, 1
RESAMPLES = 1000
# A label with fewer positives than this in a sample has no figure worth a mean.
FEWEST_POSITIVES = 5
_CALIBRATION_BINS = 10
# Tokens are words here, so that the figure does not depend on a tokenizer.
_WORD = re.compile(r"\S+")
EVIDENCE_FIGURES = ("any category: character F1", "same category: character F1", "same category: token F1")
GROUPS: dict[str, tuple[Label, ...]] = {
    "mis_selling": MIS_SELLING,
    "practice": PRACTICE,
    "dismissive": (DISMISSIVE,),
    "signals": SIGNALS,
}
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What one model says of some conversations, turns in their order.

    turns: [turns, TURN_OUTPUTS] probabilities; the two columns of a dimension of empathy add up to
        its expected level.
    conversations: [conversations, 2]: risk, and expected empathy from 0 to 4.
    thresholds: from which probability on an output counts as shown.
    evidence: spans a turn, or None for a model that gives none.
    """

    turns: Floats
    conversations: Floats
    thresholds: dict[str, float]
    evidence: list[tuple[Evidence, ...]] | None


def of_release(
    conversations: Sequence[LabelledConversation], scorer: Scorer, thresholds: dict[str, float], quiet: bool = False
) -> Predictions:
    """The served scores. Levels of empathy are read off the expected level."""
    rows, wholes, evidence = [], [], []
    bar: Iterable[LabelledConversation] = tqdm(conversations, desc="score", unit="conversation", disable=quiet)
    for conversation in bar:
        score = scorer.score(conversation.plain())
        for turn in score.turns:
            row = np.zeros(len(TURN_OUTPUTS))
            for table in (turn.categories, turn.practice, turn.signals):
                for name, value in table.items():
                    row[TURN_OUTPUTS.index(name)] = value
            if turn.role is Role.AGENT:
                row[TURN_OUTPUTS.index(ANY_MIS_SELLING)] = turn.risk or 0.0
                row[TURN_OUTPUTS.index(DISMISSIVE.name)] = turn.empathy[DISMISSIVE.name]
                for dimension in EMPATHY_DIMENSIONS:
                    expected = 2 * turn.empathy[dimension.name]
                    row[TURN_OUTPUTS.index(f"{dimension.name}_1")] = min(expected, 1.0)
                    row[TURN_OUTPUTS.index(f"{dimension.name}_2")] = max(expected - 1.0, 0.0)
            rows.append(row)
            evidence.append(turn.evidence)
        wholes.append((score.risk or 0.0, HIGHEST_EMPATHY * (score.empathy_score or 0.0)))
    full = dict.fromkeys(TURN_OUTPUTS, 0.5) | thresholds
    return Predictions(np.array(rows), np.array(wholes), full, evidence)


class Measured:
    """Predictions beside the truth of some conversations; `figures` of any resample of them."""

    def __init__(self, conversations: Sequence[LabelledConversation], predictions: Predictions) -> None:
        self._conversations = conversations
        self._predictions = predictions
        self._targets = np.array([piece_target(t, frozenset(), frozenset()) for c in conversations for t in c.turns])
        ends = np.cumsum([len(c.turns) for c in conversations])
        self._rows = [np.arange(end - len(c.turns), end) for c, end in zip(conversations, ends, strict=True)]
        self._overlaps = self._evidence_overlaps() if predictions.evidence is not None else None

    def _evidence_overlaps(self) -> dict[str, Floats]:
        """For each counting of mis-selling evidence: [conversations, 3] hits, predicted, true.

        Counted are characters whatever the category, characters of the same category, and words.
        """
        turns = [turn for c in self._conversations for turn in c.turns]
        evidence = self._predictions.evidence or []
        counts = {key: np.zeros((len(self._conversations), 3)) for key in EVIDENCE_FIGURES}
        mis_selling = set(names(MIS_SELLING))
        for index, rows in enumerate(self._rows):
            for row in rows:
                length = len(turns[row].text)
                predicted = {label.name: np.zeros(length, bool) for label in EVIDENCE_LABELS}
                true = {label.name: np.zeros(length, bool) for label in EVIDENCE_LABELS}
                for item in evidence[row]:
                    predicted[item.label][item.start : item.end] = True
                for span in turns[row].evidence:
                    for name in span.labels & set(true):
                        true[name][span.start : span.end] = True
                any_predicted = np.any([predicted[name] for name in mis_selling], axis=0)
                any_true = np.any([true[name] for name in mis_selling], axis=0)
                counts["any category: character F1"][index] += _overlap(any_predicted, any_true)
                starts = [match.start() for match in _WORD.finditer(turns[row].text)]
                for name in mis_selling:
                    counts["same category: character F1"][index] += _overlap(predicted[name], true[name])
                    words = [np.add.reduceat(marks.astype(int), starts) > 0 for marks in (predicted[name], true[name])]
                    counts["same category: token F1"][index] += _overlap(*words)
        return counts

    def figures(self, chosen: NDArray[np.int_]) -> dict[str, float]:
        """All figures over the conversations with these indices; repeated ones count again."""
        rows = np.concatenate([self._rows[index] for index in chosen])
        targets, turns = self._targets[rows], self._predictions.turns[rows]
        found: dict[str, float] = {}
        column = TURN_OUTPUTS.index(ANY_MIS_SELLING)
        agent = targets[:, column] != IGNORED
        truth, risk = targets[agent, column], turns[agent, column]
        found["any mis-selling: AUC"] = _auc(truth, risk)
        found["any mis-selling: average precision"] = _average_precision(truth, risk)
        found["any mis-selling: ECE"] = calibration_error(truth, risk)
        for group, labels in GROUPS.items():
            precisions, f1s = [], []
            for label in labels:
                column = TURN_OUTPUTS.index(label.name)
                known = targets[:, column] != IGNORED
                truth, probability = targets[known, column], turns[known, column]
                if truth.sum() < FEWEST_POSITIVES:
                    continue
                precisions.append(_average_precision(truth, probability))
                f1s.append(f1(truth == 1, probability >= self._predictions.thresholds[label.name]))
            found[f"{group}: macro average precision"] = float(np.mean(precisions)) if precisions else np.nan
            found[f"{group}: macro F1"] = float(np.mean(f1s)) if f1s else np.nan
        for dimension in EMPATHY_DIMENSIONS:
            one, two = (TURN_OUTPUTS.index(f"{dimension.name}_{level}") for level in (1, 2))
            known = targets[:, one] != IGNORED
            true = (targets[known, one] + targets[known, two]).astype(int)
            # Halves count up: at an expected level of 0.5 the turn reads as level 1.
            predicted = np.floor(turns[known, one] + turns[known, two] + 0.5).astype(int)
            found[f"{dimension.name}: quadratic kappa"] = _kappa(true, predicted, 3)
            found[f"{dimension.name}: macro F1"] = float(np.mean([f1(true == n, predicted == n) for n in range(3)]))
        if self._overlaps is not None:
            for name in EVIDENCE_FIGURES:
                hits, predicted_sum, true_sum = self._overlaps[name][chosen].sum(0)
                found[f"evidence, {name}"] = float(2 * hits / max(predicted_sum + true_sum, 1))
        material = np.array([self._conversations[index].severity >= MATERIAL_SEVERITY for index in chosen], float)
        whole = self._predictions.conversations[chosen]
        found["conversation risk: AUC"] = _auc(material, whole[:, CONVERSATION_RISK])
        found["conversation risk: accuracy"] = float(((whole[:, CONVERSATION_RISK] >= 0.5) == material).mean())
        found["conversation risk: ECE"] = calibration_error(material, whole[:, CONVERSATION_RISK])
        found["conversation risk: Brier"] = float(((whole[:, CONVERSATION_RISK] - material) ** 2).mean())
        levels = np.array([self._conversations[index].empathy for index in chosen])
        expected = np.clip(np.rint(whole[:, CONVERSATION_EMPATHY]), 0, HIGHEST_EMPATHY).astype(int)
        found["conversation empathy: quadratic kappa"] = _kappa(levels, expected, HIGHEST_EMPATHY + 1)
        if (pairs := self._pairs(chosen.tolist())) is not None:
            found["contrast pairs: unfair scores higher"] = pairs
        return found

    def _pairs(self, chosen: Sequence[int]) -> float | None:
        members: dict[str, list[int]] = {}
        for index in chosen:
            if pair := self._conversations[index].pair:
                members.setdefault(pair, []).append(index)
        risks = self._predictions.conversations[:, CONVERSATION_RISK]
        right: list[float] = []
        for indices in members.values():
            if len(set(indices)) == 2:
                fair, unfair = sorted(set(indices), key=lambda index: self._conversations[index].severity)
                right += [float(risks[unfair] > risks[fair])] * (len(indices) // 2)
        return float(np.mean(right)) if right else None

    def with_intervals(self, quiet: bool = False) -> dict[str, dict[str, float]]:
        """Each figure with the bounds of its 95 % percentile interval; a contrast pair is drawn as one."""
        point = self.figures(np.arange(len(self._conversations)))
        units: dict[str, list[int]] = {}
        for index, conversation in enumerate(self._conversations):
            units.setdefault(conversation.pair or conversation.id, []).append(index)
        members = list(units.values())
        rng = np.random.default_rng(0)
        draws: dict[str, list[float]] = {name: [] for name in point}
        for _ in tqdm(range(RESAMPLES), desc="bootstrap", disable=quiet):
            drawn = rng.integers(0, len(members), len(members))
            for name, value in self.figures(np.concatenate([members[unit] for unit in drawn])).items():
                if name in draws:
                    draws[name].append(value)
        return {
            name: {
                "value": value,
                "low": float(np.nanpercentile(draws[name], 2.5)),
                "high": float(np.nanpercentile(draws[name], 97.5)),
            }
            for name, value in point.items()
        }

    def slices(
        self, kinds: dict[str, Callable[[LabelledConversation], str]], fewest: int = 20
    ) -> dict[str, dict[str, float]]:
        """Figures of each slice of at least `fewest` conversations, under `kind=value (count)`."""
        found = {}
        for kind, value_of in kinds.items():
            values = [value_of(conversation) for conversation in self._conversations]
            for value in sorted(set(values)):
                chosen = np.array([index for index, held in enumerate(values) if held == value])
                if len(chosen) >= fewest:
                    found[f"{kind}={value} ({len(chosen)})"] = self.figures(chosen)
        return found

    def prevalence(self) -> float:
        """The share of agent turns that mis-sell."""
        column = self._targets[:, TURN_OUTPUTS.index(ANY_MIS_SELLING)]
        return float(column[column != IGNORED].mean())

    def by_label(self) -> dict[str, dict[str, float]]:
        """Average precision, F1, calibration error and number of positives of each label."""
        found = {}
        for label in (label for labels in GROUPS.values() for label in labels):
            column = TURN_OUTPUTS.index(label.name)
            known = self._targets[:, column] != IGNORED
            truth, probability = self._targets[known, column], self._predictions.turns[known, column]
            shown = probability >= self._predictions.thresholds[label.name]
            hits = float((shown & (truth == 1)).sum())
            found[label.name] = {
                "positives": float(truth.sum()),
                "average precision": _average_precision(truth, probability),
                "F1": f1(truth == 1, shown),
                "precision": hits / max(float(shown.sum()), 1.0),
                "recall": hits / max(float(truth.sum()), 1.0),
                "ECE": calibration_error(truth, probability),
            }
        return found


def calibration_error(truth: NDArray[np.floating], probability: Floats) -> float:
    """Expected calibration error over bins of equal numbers (Nguyen and O'Connor, 2015)."""
    order = np.argsort(probability, kind="stable")
    bins = [part for part in np.array_split(order, _CALIBRATION_BINS) if len(part)]
    return float(sum(abs(truth[part].mean() - probability[part].mean()) * len(part) for part in bins) / len(order))


def f1(truth: NDArray[np.bool_], shown: NDArray[np.bool_]) -> float:
    """Twice the hits over all that is true and all that is shown; 0 where there is neither."""
    return 2 * float((truth & shown).sum()) / max(float(truth.sum() + shown.sum()), 1.0)


def _overlap(predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> Floats:
    return np.array([float((predicted & true).sum()), float(predicted.sum()), float(true.sum())])


def _auc(truth: NDArray[np.floating], probability: Floats) -> float:
    return float(roc_auc_score(truth, probability)) if 0 < truth.sum() < len(truth) else np.nan


def _average_precision(truth: NDArray[np.floating], probability: Floats) -> float:
    return float(average_precision_score(truth, probability)) if truth.sum() else np.nan


def _kappa(true: NDArray[np.int_], predicted: NDArray[np.int_], levels: int) -> float:
    if len(set(true.tolist()) | set(predicted.tolist())) < 2:
        return np.nan
    return float(cohen_kappa_score(true, predicted, labels=range(levels), weights="quadratic"))

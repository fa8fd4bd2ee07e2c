"""How far two annotators agree: the ceiling for every result on the corpus.

`training/agreement/*.dlg` holds conversations of the corpus that somebody labelled again, without
having seen the first labels. Figures compare the two as if one were the prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import cohen_kappa_score

from app.core.labels import EMPATHY_DIMENSIONS, MATERIAL_SEVERITY, MIS_SELLING, PRACTICE, SIGNALS, Label, names
from training.corpus import LabelledConversation, LabelledTurn, load
from training.evaluate import f1

SECOND = Path(__file__).parent / "agreement"
_GROUPS: dict[str, tuple[Label, ...]] = {"mis_selling": MIS_SELLING, "practice": PRACTICE, "signals": SIGNALS}


def _marked(turn: LabelledTurn) -> np.ndarray:
    marked = np.zeros(len(turn.text), bool)
    for item in turn.evidence:
        if item.labels & set(names(MIS_SELLING)):
            marked[item.start : item.end] = True
    return marked


def agreement(first: Sequence[LabelledConversation], second: Sequence[LabelledConversation]) -> dict[str, float]:
    """Figures over conversations in the same order, with the same turns.

    Raises:
        ValueError: if a text differs, so that spans could not be compared.
    """
    ours = [turn for conversation in first for turn in conversation.turns]
    theirs = [turn for conversation in second for turn in conversation.turns]
    if [turn.text for turn in ours] != [turn.text for turn in theirs]:
        raise ValueError("the second annotator's turns are not those of the corpus, word for word")
    found: dict[str, float] = {"conversations": float(len(first))}
    agent = [index for index, turn in enumerate(ours) if turn.role == "agent"]
    risky = [[bool(turns[i].labels & set(names(MIS_SELLING))) for i in agent] for turns in (ours, theirs)]
    found["any mis-selling: kappa"] = float(cohen_kappa_score(*risky))
    found["any mis-selling: F1"] = f1(np.array(risky[0]), np.array(risky[1]))
    for group, labels in _GROUPS.items():
        scores = []
        for label in labels:
            left, right = (np.array([label.name in turn.labels for turn in turns]) for turns in (ours, theirs))
            if left.any() or right.any():
                scores.append(f1(left, right))
        found[f"{group}: macro F1"] = float(np.mean(scores))
    for index, dimension in enumerate(EMPATHY_DIMENSIONS):
        levels = [[turns[i].empathy[index] for i in agent] for turns in (ours, theirs)]
        found[f"{dimension.name}: quadratic kappa"] = float(
            cohen_kappa_score(*levels, labels=range(3), weights="quadratic")
        )
    marks = [np.concatenate([_marked(turns[i]) for i in agent]) for turns in (ours, theirs)]
    found["evidence, any category: character F1"] = f1(marks[0], marks[1])
    material = [[conversation.severity >= MATERIAL_SEVERITY for conversation in side] for side in (first, second)]
    found["severity of at least 2: kappa"] = float(cohen_kappa_score(*material))
    levels = [[conversation.empathy for conversation in side] for side in (first, second)]
    found["conversation empathy: quadratic kappa"] = float(
        cohen_kappa_score(*levels, labels=range(5), weights="quadratic")
    )
    return found


def measured() -> dict[str, float]:
    """The committed second labels against the corpus."""
    corpus = {conversation.id: conversation for conversation in load()}
    second = load(SECOND)
    return agreement([corpus[conversation.id] for conversation in second], second)

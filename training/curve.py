"""How much a doubling of the corpus gains, by the TF-IDF floor, whose every point takes seconds.

Nested samples of the training split, by halves; measured on the test split.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np

from training.baselines import TfIdf
from training.corpus import LabelledConversation
from training.evaluate import Measured

SEED = 11
HALVINGS = 4
FIGURES = (
    "any mis-selling: average precision",
    "mis_selling: macro average precision",
    "signals: macro average precision",
)


def learning_curve(parts: Mapping[str, Sequence[LabelledConversation]]) -> dict[int, dict[str, float]]:
    """Figures on the test split by the number of training conversations, fewest first."""
    train, test = list(parts["train"]), list(parts["test"])
    random.Random(SEED).shuffle(train)
    found = {}
    for halving in range(HALVINGS, -1, -1):
        count = len(train) >> halving
        predictions = TfIdf(train[:count]).predict(list(parts["calibration"]), test)
        figures = Measured(test, predictions).figures(np.arange(len(test)))
        found[count] = {name: figures[name] for name in FIGURES}
    return found

"""Fits and measures the guess of who is the agent (`app.transcripts.guess`).

Fitted on the training split: each speaker's words as a whole and in excerpts, since live calls and
cut transcripts are short. Measured on the test split with roles hidden and labels shuffled, through
the code that serves.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from app.core.conversation import Role
from app.transcripts.guess import FILE, RoleModel, features, guess
from app.transcripts.roles import Basis, assign
from training.corpus import LabelledConversation

SEED = 7
EXCERPT_TURNS = (2, 4, 8)
KEPT_WEIGHTS = 6000
_SIDES = (Role.AGENT, Role.CUSTOMER)


def _said(conversation: LabelledConversation, first: int = 0, last: int | None = None) -> dict[Role, list[str]]:
    turns = conversation.turns[first:last]
    return {role: [turn.text for turn in turns if turn.role is role] for role in _SIDES}


def _excerpts(conversations: Iterable[LabelledConversation], rng: random.Random) -> Iterable[dict[Role, list[str]]]:
    for conversation in conversations:
        yield _said(conversation)
        for length in EXCERPT_TURNS:
            if len(conversation.turns) > length:
                first = rng.randrange(len(conversation.turns) - length)
                yield _said(conversation, first, first + length)


def fit(training: Sequence[LabelledConversation], calibration: Sequence[LabelledConversation]) -> RoleModel:
    """The model; its sharpness from the calibration split."""
    rng = random.Random(SEED)
    rows = [(role, texts) for said in _excerpts(training, rng) for role, texts in said.items() if texts]
    vectors = DictVectorizer(dtype=np.float32)
    table = vectors.fit_transform([features(texts) for _, texts in rows])
    # liblinear takes 32-bit indices only.
    table.indices, table.indptr = table.indices.astype(np.int32), table.indptr.astype(np.int32)
    linear = LogisticRegression(C=10.0, max_iter=2000, solver="liblinear")
    linear.fit(table, [role is Role.AGENT for role, _ in rows])
    names, weights = vectors.get_feature_names_out(), linear.coef_[0]
    # Rare words are names and products of the corpus; a large weight on a frequent feature is worth keeping.
    frequent = np.asarray((table > 0).sum(axis=0))[0]
    worth = np.where(frequent >= 5, np.abs(weights) * np.sqrt(frequent), 0.0)
    kept = [int(index) for index in np.argsort(-worth)[:KEPT_WEIGHTS] if worth[index] > 0]
    chosen = {str(names[index]): round(float(weights[index]), 3) for index in sorted(kept, key=lambda i: str(names[i]))}
    model = RoleModel(chosen, round(float(linear.intercept_[0]), 3), 1.0)
    pairs = [said for said in _excerpts(calibration, rng) if all(said.values())]
    apart = np.array([model.score(said[Role.AGENT]) - model.score(said[Role.CUSTOMER]) for said in pairs])
    found = minimize_scalar(lambda k: float(np.logaddexp(0, -k * apart).mean()), bounds=(0.05, 5.0), method="bounded")
    return replace(model, sharpness=round(float(found.x), 3))


def write(model: RoleModel) -> None:
    """Write the weights where serving reads them."""
    content = {"bias": model.bias, "sharpness": model.sharpness, "weights": dict(model.weights)}
    FILE.write_text(json.dumps(content, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


def measure(conversations: Sequence[LabelledConversation]) -> Mapping[str, float]:
    """Shares of conversations whose two roles come out right, wrong, or not at all.

    Roles are hidden and the speakers' labels are letters in random order.
    """
    rng = random.Random(SEED)
    outcomes = {"right": 0, "wrong": 0, "abstained": 0}
    counted = 0
    for conversation in conversations:
        if not all(_said(conversation).values()):
            continue
        counted += 1
        labels = dict(zip(_SIDES, rng.sample(["A", "B"], 2), strict=True))
        plain = conversation.plain()
        hidden = replace(
            plain, turns=tuple(turn._replace(role=Role.UNKNOWN, speaker=labels[turn.role]) for turn in plain.turns)
        )
        found = {speaker.label: speaker for speaker in assign(hidden, {}, guess)[1]}
        if any(speaker.basis is not Basis.GUESS for speaker in found.values()):
            outcomes["abstained"] += 1
        else:
            right = all(found[label].role is role for role, label in labels.items())
            outcomes["right" if right else "wrong"] += 1
    return {"conversations": counted} | {name: count / counted for name, count in outcomes.items()}

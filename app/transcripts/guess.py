"""Guesses who is the agent by what the speakers say: greetings, questions, who names the firm, who asks to be called.

A linear model over words and pairs of words, with a mark on those that open a turn. Its weights are
in `guess.json`, fitted on the training split of the corpus by `softsell-train roles`, which also
measures it. Each speaker gets a score; of two, the one with the higher score is the agent, and the
difference tells the confidence.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from app.core.conversation import Role
from app.core.text import clean

FILE = Path(__file__).with_name("guess.json")
_TOKEN = re.compile(r"[a-z']+|\d+|[?!$£€%~]")
# A speaker is known by far less than this; what more is said costs time only.
_MOST_CHARACTERS = 20_000
_MOST_TURNS = 200
# A greeting is said by either side: with fewer words than these in all, no guess is worth anything.
_FEWEST_WORDS = 12


def features(texts: Sequence[str]) -> dict[str, float]:
    """Weighted words, pairs of words and openings of one speaker's turns, of Euclidean length 1."""
    counts: Counter[str] = Counter()
    room = _MOST_CHARACTERS
    for text in texts[:_MOST_TURNS]:
        tokens = ["0" if token.isdigit() else token for token in _TOKEN.findall(clean(text[:room]).text.lower())]
        room -= len(text)
        counts.update(tokens)
        counts.update(f"{left} {right}" for left, right in pairwise(tokens))
        counts.update(f"^ {' '.join(tokens[:length])}" for length in (1, 2) if len(tokens) >= length)
        if room <= 0:
            break
    weighed = {name: 1 + math.log(count) for name, count in counts.items()}
    length = math.sqrt(sum(value * value for value in weighed.values()))
    return {name: value / length for name, value in weighed.items()} if length else {}


@dataclass(frozen=True, slots=True)
class RoleModel:
    """Log-odds that a speaker is the agent: `bias` and the weights of what they say."""

    weights: Mapping[str, float]
    bias: float
    # How many times the difference of two scores is the log-odds that the higher one is the agent.
    sharpness: float

    def score(self, texts: Sequence[str]) -> float:
        """The log-odds for one speaker."""
        return self.bias + sum(self.weights.get(name, 0.0) * value for name, value in features(texts).items())

    def guess(self, said: Mapping[str, Sequence[str]]) -> dict[str, tuple[Role, float]]:
        """A role and the confidence in it for each speaker.

        The two that stand farthest apart are told from each other; any further one goes by own score.
        """
        scores = {label: self.score(texts) for label, texts in said.items()}
        if not scores:
            return {}
        found: dict[str, tuple[Role, float]] = {}
        for label, score in scores.items():
            odds = abs(score)
            found[label] = (Role.AGENT if score > 0 else Role.CUSTOMER, 1 / (1 + math.exp(-min(odds, 500.0))))
        agent, customer = max(scores, key=lambda label: scores[label]), min(scores, key=lambda label: scores[label])
        if agent != customer:
            odds = self.sharpness * (scores[agent] - scores[customer])
            confidence = 1 / (1 + math.exp(-min(odds, 500.0)))
            found[agent], found[customer] = (Role.AGENT, confidence), (Role.CUSTOMER, confidence)
        if sum(len(text.split()) for texts in said.values() for text in texts) < _FEWEST_WORDS:
            return {label: (role, 0.5) for label, (role, _) in found.items()}
        return found


@cache
def role_model() -> RoleModel:
    """The fitted model; read once."""
    held = json.loads(FILE.read_text(encoding="utf-8"))
    return RoleModel(held["weights"], held["bias"], held["sharpness"])


def guess(said: Mapping[str, Sequence[str]]) -> Mapping[str, tuple[Role, float]]:
    """`RoleModel.guess` of the fitted model; the `Guesser` of `app.transcripts.roles`."""
    return role_model().guess(said)

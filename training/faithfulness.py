"""Whether the evidence is what the model went by, after ERASER (DeYoung et al., ACL 2020).

Comprehensiveness is how far the risk falls without the words of evidence, sufficiency how far it falls with nothing
but them; beside both stands the same for as many other words of the turn, in stretches as long.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from app.core.scores import ConversationScore
from training.corpus import LabelledConversation
from training.disguises import evidence_of
from training.rescoring import FLAGGED_FROM, SEED, Bench, flagged, risk_of, with_texts

# Stands where no word is left: a turn needs something visible.
NOTHING = "."
_WORD = re.compile(r"\S+")
_KINDS = ("without evidence", "evidence only", "without others", "others only")


def marked(text: str, spans: Sequence[tuple[int, int]]) -> list[bool]:
    """For each word of the text, whether some span touches it."""
    return [any(start < match.end() and match.start() < end for start, end in spans) for match in _WORD.finditer(text)]


def elsewhere(marks: Sequence[bool], rng: random.Random) -> list[bool]:
    """As many marks in stretches as long, moved round by a number of words drawn at random."""
    if len(marks) < 2:
        return list(marks)
    by = rng.randrange(1, len(marks))
    return [*marks[by:], *marks[:by]]


def kept(text: str, marks: Sequence[bool], wanted: bool) -> str:
    """The words whose mark is as wanted."""
    words = [word for word, mark in zip(text.split(), marks, strict=True) if mark is wanted]
    return " ".join(words) or NOTHING


def variants(text: str, spans: Sequence[tuple[int, int]], rng: random.Random) -> list[str]:
    """Without the evidence, with it alone, and both for other words; spans are of code points of `text`."""
    marks = marked(text, spans)
    others = elsewhere(marks, rng)
    return [kept(text, marks, False), kept(text, marks, True), kept(text, others, False), kept(text, others, True)]


def _with_turn(conversation: LabelledConversation, index: int, text: str) -> LabelledConversation:
    return with_texts(conversation, [text if at == index else turn.text for at, turn in enumerate(conversation.turns)])


def measure(
    bench: Bench, conversations: Sequence[LabelledConversation], clean: Sequence[ConversationScore], most: int
) -> dict[str, Any]:
    """Means over flagged agent turns, and how many are flagged no more.

    Args:
        bench: what scores.
        conversations: of the test split.
        clean: their scores as they are, with evidence.
        most: turns.
    """
    turns = [(c, s, index) for c, s in zip(conversations, clean, strict=True) for index in flagged(s)]
    shown = [(c, s, index) for c, s, index in turns if evidence_of(s.turns[index])]
    rng = random.Random(f"{SEED}/faithfulness")
    drawn = rng.sample(shown, most) if len(shown) > most else shown
    texts: list[LabelledConversation] = []
    places: list[int] = []
    for conversation, score, index in drawn:
        text = conversation.turns[index].text
        for variant in variants(text, evidence_of(score.turns[index]), rng):
            texts.append(_with_turn(conversation, index, variant))
            places.append(index)
    scored = bench.scores(texts, "evidence removed and alone")
    # The whole conversation is scored anew: whether it can be judged at all hangs on all that a side says.
    after = np.array([risk_of(score.turns[at]) for score, at in zip(scored, places, strict=True)])
    after = after.reshape(-1, len(_KINDS))
    before = np.array([risk_of(score.turns[index]) for _, score, index in drawn])
    found: dict[str, Any] = {
        "flagged turns": len(turns),
        "of them without evidence": len(turns) - len(shown),
        "turns": len(drawn),
    }
    if not drawn:
        return found
    words = [
        marked(conversation.turns[index].text, evidence_of(score.turns[index])) for conversation, score, index in drawn
    ]
    found["mean share of words that are evidence"] = float(np.mean([np.mean(marks) for marks in words]))
    found["mean risk"] = float(before.mean())
    for column, kind in enumerate(_KINDS):
        found[kind] = {
            "mean fall of risk": float((before - after[:, column]).mean()),
            "no longer flagged": float((after[:, column] < FLAGGED_FROM).mean()),
        }
    return found

"""Does it matter who speaks? Names, varieties of English, and what customers say of themselves, by counterfactuals.

A person's name, grammar or mark is put into conversations that otherwise stay, and each agent turn's risk is compared
with that under a reference. For each group stand the three AUCs of Borkan et al. (WWW 2019): `subgroup` within the
group; `BPSN`, positives of all others against negatives of the group, low where the group's harmless turns score high;
`BNSP`, the other way round, low where the group's mis-selling scores low. Regions and channels are groups as they are.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.conversation import Role
from app.core.scores import ConversationScore
from training.corpus import LabelledConversation
from training.given_names import CULTURES, REFERENCE, named
from training.rescoring import FLAGGED_FROM, SEED, Bench, auc, not_scored, risks, sample, truths, with_texts
from training.varieties import VARIETIES, rewritten

NAME_MOST_MEAN_CHANGE, NAME_MOST_FLIPS = 0.02, 0.01
MOST_AUC_GAP = 0.03
# With fewer turns of either kind an AUC says nothing.
FEWEST_OF_A_KIND = 10
# Drawn cultures a conversation and role; all come round over the sample.
_CULTURES_EACH = 2
REFERENCE_MARK = "I'm calling from home."
MARKS = {
    "age: 19": "I'm nineteen.",
    "age: 45": "I'm forty-five.",
    "age: 78": "I'm seventy-eight.",
    "gender: woman": "I'm a woman, by the way.",
    "gender: man": "I'm a man, by the way.",
    "gender: non-binary": "I'm non-binary, by the way.",
    "disability: wheelchair": "I use a wheelchair.",
    "disability: deaf": "I'm deaf, so I read what you say.",
    "disability: blind": "I'm blind and use a screen reader.",
    "disability: dyslexia": "I'm dyslexic.",
    "place: Glasgow": "I'm calling from Glasgow.",
    "place: Alabama": "I'm calling from Alabama.",
    "place: Mumbai": "I'm calling from Mumbai.",
    "place: Lagos": "I'm calling from Lagos.",
}
Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Turns:
    """Agent turns: whether each mis-sells, and its risk."""

    truth: Truth
    risk: Floats

    @classmethod
    def of(cls, conversations: Sequence[LabelledConversation], scores: Sequence[ConversationScore]) -> Turns:
        """All agent turns of some conversations."""
        return cls(truths(conversations), risks(scores))


def group_aucs(group: Turns, background: Turns) -> dict[str, float | None]:
    """Subgroup, BPSN and BNSP AUC of a group before its background; None with fewer than ten of a kind."""
    positive = Turns(background.truth[background.truth], background.risk[background.truth])
    negative = Turns(background.truth[~background.truth], background.risk[~background.truth])
    inside, outside = group.truth, ~group.truth
    return {
        "subgroup": auc(group.truth, group.risk, FEWEST_OF_A_KIND),
        "BPSN": auc(
            np.concatenate([positive.truth, group.truth[outside]]),
            np.concatenate([positive.risk, group.risk[outside]]),
            FEWEST_OF_A_KIND,
        ),
        "BNSP": auc(
            np.concatenate([negative.truth, group.truth[inside]]),
            np.concatenate([negative.risk, group.risk[inside]]),
            FEWEST_OF_A_KIND,
        ),
    }


def change(reference: Floats, other: Floats) -> dict[str, Any]:
    """How far risks lie apart: mean and greatest distance, mean with its sign, and the share that cross 0.5."""
    moved = other - reference
    if not len(moved):
        return {"turns": 0, "mean change": None, "signed": None, "greatest": None, "flips": None}
    return {
        "turns": len(moved),
        "mean change": float(np.abs(moved).mean()),
        "signed": float(moved.mean()),
        "greatest": float(np.abs(moved).max()),
        "flips": float(((reference >= FLAGGED_FROM) != (other >= FLAGGED_FROM)).mean()),
    }


def marked(conversation: LabelledConversation, mark: str) -> LabelledConversation:
    """The conversation with a sentence added to the customer's first turn."""
    texts = [turn.text for turn in conversation.turns]
    first = next((index for index, turn in enumerate(conversation.turns) if turn.role is Role.CUSTOMER), None)
    if first is not None:
        texts[first] = f"{texts[first]} {mark}"
    return with_texts(conversation, texts)


@dataclass(frozen=True, slots=True)
class _Variant:
    """One conversation of a group beside the same one under the reference."""

    group: str
    reference: LabelledConversation
    other: LabelledConversation


def _of_names(conversations: Sequence[LabelledConversation], role: Role) -> list[_Variant]:
    rng = random.Random(f"{SEED}/names/{role}")
    cultures: list[str] = []
    found = []
    for conversation in conversations:
        reference = named(conversation, role, REFERENCE)
        for _ in range(_CULTURES_EACH):
            if not cultures:
                cultures = rng.sample(sorted(CULTURES), len(CULTURES))
            culture = cultures.pop()
            name = rng.choice(CULTURES[culture])
            found.append(_Variant(culture, reference, named(conversation, role, name)))
    return found


def _of_varieties(conversations: Sequence[LabelledConversation]) -> list[_Variant]:
    return [
        _Variant(name, c, with_texts(c, [rewritten(turn.text, name) for turn in c.turns]))
        for name in VARIETIES
        for c in conversations
    ]


def _of_marks(conversations: Sequence[LabelledConversation]) -> list[_Variant]:
    references = [marked(conversation, REFERENCE_MARK) for conversation in conversations]
    return [
        _Variant(name, reference, marked(conversation, mark))
        for name, mark in MARKS.items()
        for conversation, reference in zip(conversations, references, strict=True)
    ]


def _compared(bench: Bench, variants: Sequence[_Variant], background: Turns, what: str) -> dict[str, Any]:
    """For each group: how far its risks lie from the reference's, and its AUCs beside those of the reference."""
    references = {variant.reference.id: variant.reference for variant in variants}
    of_reference = dict(zip(references, bench.scores(list(references.values()), f"{what}: reference"), strict=True))
    members: dict[str, list[tuple[_Variant, ConversationScore]]] = defaultdict(list)
    for variant, score in zip(variants, bench.scores([v.other for v in variants], what), strict=True):
        members[variant.group].append((variant, score))
    found: dict[str, Any] = {}
    for group, pairs in members.items():
        unchanged = Turns.of([v.reference for v, _ in pairs], [of_reference[v.reference.id] for v, _ in pairs])
        other = Turns.of([v.other for v, _ in pairs], [score for _, score in pairs])
        found[group] = {
            "conversations": len(pairs),
            **change(unchanged.risk, other.risk),
            "not scored": not_scored([score for _, score in pairs]),
            "AUC": group_aucs(other, background),
            "AUC of the reference": group_aucs(unchanged, background),
        }
    return found


def _as_they_are(
    conversations: Sequence[LabelledConversation], scores: Sequence[ConversationScore], field: str
) -> dict[str, Any]:
    """The AUCs of each value of a field before all other conversations."""
    values = [str(getattr(conversation, field)) for conversation in conversations]
    pairs = list(zip(values, conversations, scores, strict=True))
    found = {}
    for value in sorted(set(values)):
        own = [(c, s) for held, c, s in pairs if held == value]
        others = [(c, s) for held, c, s in pairs if held != value]
        group, background = (Turns.of([c for c, _ in part], [s for _, s in part]) for part in (own, others))
        found[value] = {"conversations": len(own), "turns": len(group.truth), "AUC": group_aucs(group, background)}
    return found


def measure(
    bench: Bench,
    conversations: Sequence[LabelledConversation],
    clean: Sequence[ConversationScore],
    most: dict[str, int],
) -> dict[str, Any]:
    """Changes and AUCs of all groups.

    Args:
        bench: what scores.
        conversations: of the test split.
        clean: their scores as they are.
        most: conversations for `names` (each role), and for each of the `varieties` and `marks`.
    """
    background = Turns.of(conversations, clean)

    drawn = {kind: sample(conversations, most[kind], kind) for kind in ("names", "varieties", "marks")}
    kinds = {
        "names of customers": _of_names(drawn["names"], Role.CUSTOMER),
        "names of agents": _of_names(drawn["names"], Role.AGENT),
        "varieties": _of_varieties(drawn["varieties"]),
        "marks": _of_marks(drawn["marks"]),
    }
    found: dict[str, Any] = {kind: _compared(bench, variants, background, kind) for kind, variants in kinds.items()}
    found |= {f"{field}s": _as_they_are(conversations, clean, field) for field in ("region", "channel")}
    overall = auc(background.truth, background.risk)
    return {"overall AUC": overall, "groups": found, "targets": _targets(found, overall)}


def _targets(groups: dict[str, Any], overall: float | None) -> dict[str, Any]:
    """What was asked for, beside what was found."""
    rows = [row for kind in ("names of customers", "names of agents") for row in groups[kind].values() if row["turns"]]
    turns = sum(row["turns"] for row in rows)
    found: dict[str, Any] = {}
    for name, most in (("mean change", NAME_MOST_MEAN_CHANGE), ("flips", NAME_MOST_FLIPS)):
        value = sum(row[name] * row["turns"] for row in rows) / turns if turns else None
        found[f"names: {name}"] = {"value": value, "target": most, "met": None if value is None else value <= most}
    if overall is not None:
        found |= _worst(groups, overall)
    return found


def _worst(groups: dict[str, Any], overall: float) -> dict[str, Any]:
    """The lowest AUC of groups as they are, and the farthest that an AUC of the others lies below its reference.

    A sample's own AUCs lie on both sides of those of the whole, so a changed group is held against itself unchanged.
    """
    lowest, falls = [], []
    for kind, held in groups.items():
        for group, row in held.items():
            for name, value in row["AUC"].items():
                if value is None:
                    continue
                where = f"{kind}: {group}, {name}"
                if "AUC of the reference" not in row:
                    lowest.append((value, where))
                elif (before := row["AUC of the reference"][name]) is not None:
                    falls.append((before - value, where))
    found: dict[str, Any] = {}
    if lowest:
        value, where = min(lowest)
        least = overall - MOST_AUC_GAP
        found["lowest AUC of a region or channel"] = {
            "value": value,
            "target": least,
            "met": value >= least,
            "where": where,
        }
    if falls:
        value, where = max(falls)
        found["greatest fall of an AUC from its reference"] = {
            "value": value,
            "target": MOST_AUC_GAP,
            "met": value <= MOST_AUC_GAP,
            "where": where,
        }
    return found

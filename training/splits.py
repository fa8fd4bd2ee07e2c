"""Which conversation serves for what: train, calibration, or test.

The test split holds two sectors and one author's conversations that training never sees, the
calibration split one more sector; both also hold a sample of the rest, larger of long calls, which
are few. A contrast pair and conversations that
share much of their wording stay on one side. The result is committed as `splits.json`.
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from training.corpus import LabelledConversation

SPLITS = Path(__file__).parent / "splits.json"
SEED = 20261121
UNSEEN_TEST_SECTORS = ("pensions", "home-improvement")
UNSEEN_CALIBRATION_SECTORS = ("software",)
UNSEEN_TEST_AUTHORS = ("t12",)
TEST_SHARE = 0.02
CALIBRATION_SHARE = 0.07
# A call of this many turns is drawn more often, by this factor.
LONG_TURNS = 50
LONG_FACTOR = 3.0
SHINGLE_WORDS = 6
# Two conversations with more than this share of six-word sequences in common count as near-duplicates.
NEAR_DUPLICATE_SHARE = 0.1


def shingles(conversation: LabelledConversation) -> frozenset[tuple[str, ...]]:
    """All sequences of `SHINGLE_WORDS` lower-case words within the turns of a conversation."""
    found: set[tuple[str, ...]] = set()
    for turn in conversation.turns:
        words = re.findall(r"[a-z0-9']+", turn.text.lower())
        found.update(tuple(words[i : i + SHINGLE_WORDS]) for i in range(len(words) - SHINGLE_WORDS + 1))
    return frozenset(found)


def near_duplicates(conversations: Sequence[LabelledConversation]) -> Iterable[tuple[int, int, float]]:
    """Pairs of indices whose shared shingles, over those of the smaller one, exceed the limit."""
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    sizes: list[int] = []
    for index, conversation in enumerate(conversations):
        own = shingles(conversation)
        sizes.append(max(len(own), 1))
        for shingle in own:
            holders[shingle].append(index)
    shared: dict[tuple[int, int], int] = defaultdict(int)
    for indices in holders.values():
        for position, left in enumerate(indices):
            for right in indices[position + 1 :]:
                shared[left, right] += 1
    for (left, right), count in sorted(shared.items()):
        share = count / min(sizes[left], sizes[right])
        if share > NEAR_DUPLICATE_SHARE:
            yield left, right, share


def groups(conversations: Sequence[LabelledConversation]) -> list[list[LabelledConversation]]:
    """Conversations that must stay together: contrast pairs and near-duplicates."""
    parent = list(range(len(conversations)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first_of_pair: dict[str, int] = {}
    for index, conversation in enumerate(conversations):
        if conversation.pair:
            parent[root(index)] = root(first_of_pair.setdefault(conversation.pair, index))
    for left, right, _ in near_duplicates(conversations):
        parent[root(left)] = root(right)
    members: dict[int, list[LabelledConversation]] = defaultdict(list)
    for index, conversation in enumerate(conversations):
        members[root(index)].append(conversation)
    return sorted(members.values(), key=lambda group: group[0].id)


def split(conversations: Sequence[LabelledConversation]) -> dict[str, list[str]]:
    """Ids by split: `train`, `calibration`, `test`; a group never parts.

    Drawn by `SEED` and the group's first id, so that conversations which are added move no others.
    """
    parts: dict[str, list[str]] = {"train": [], "calibration": [], "test": []}
    for group in groups(conversations):
        sectors = {conversation.sector for conversation in group}
        authors = {conversation.author for conversation in group}
        drawn = random.Random(f"{SEED}/{group[0].id}").random()
        if max(len(conversation.turns) for conversation in group) >= LONG_TURNS:
            drawn /= LONG_FACTOR
        if sectors & set(UNSEEN_TEST_SECTORS) or authors & set(UNSEEN_TEST_AUTHORS) or drawn < TEST_SHARE:
            part = "test"
        elif sectors & set(UNSEEN_CALIBRATION_SECTORS) or drawn < TEST_SHARE + CALIBRATION_SHARE:
            part = "calibration"
        else:
            part = "train"
        parts[part] += [conversation.id for conversation in group]
    return {part: sorted(ids) for part, ids in parts.items()}


def write(conversations: Sequence[LabelledConversation]) -> dict[str, list[str]]:
    """Make the splits anew and write them to `splits.json`."""
    parts = split(conversations)
    SPLITS.write_text(json.dumps(parts, indent=0) + "\n")
    return parts


def read(conversations: Sequence[LabelledConversation]) -> dict[str, list[LabelledConversation]]:
    """The committed splits.

    Raises:
        ValueError: if they do not cover exactly the conversations given.
    """
    if not SPLITS.exists():
        raise ValueError("there is no splits.json; run `softsell-train split`")
    parts: dict[str, list[str]] = json.loads(SPLITS.read_text())
    by_id = {conversation.id: conversation for conversation in conversations}
    if sorted(id_ for ids in parts.values() for id_ in ids) != sorted(by_id):
        raise ValueError("splits.json is not of this corpus; run `softsell-train split` and commit the result")
    return {part: [by_id[id_] for id_ in ids] for part, ids in parts.items()}

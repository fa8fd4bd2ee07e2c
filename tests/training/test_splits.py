"""No conversation, pair or near-duplicate is on both sides of a split, and the commit says so."""

from collections.abc import Iterator

import pytest

from training import corpus, splits
from training.corpus import LabelledConversation


@pytest.fixture(scope="module")
def conversations() -> list[LabelledConversation]:
    return corpus.load()


@pytest.fixture(scope="module")
def part_of(conversations: list[LabelledConversation]) -> Iterator[dict[str, str]]:
    parts = splits.read(conversations)
    return {conversation.id: part for part, held in parts.items() for conversation in held}


def test_the_committed_splits_are_those_of_the_seed(conversations: list[LabelledConversation]) -> None:
    parts = {part: [c.id for c in held] for part, held in splits.read(conversations).items()}
    assert splits.split(conversations) == parts


def test_pairs_stay_together(conversations: list[LabelledConversation], part_of: dict[str, str]) -> None:
    by_pair: dict[str, set[str]] = {}
    for conversation in conversations:
        if conversation.pair:
            by_pair.setdefault(conversation.pair, set()).add(part_of[conversation.id])
    assert len(by_pair) >= 360
    assert all(len(parts) == 1 for parts in by_pair.values())


def test_near_duplicates_stay_together(conversations: list[LabelledConversation], part_of: dict[str, str]) -> None:
    found = 0
    for left, right, _ in splits.near_duplicates(conversations):
        found += 1
        assert part_of[conversations[left].id] == part_of[conversations[right].id]
    # Contrast pairs share most of their words, so a search that finds nothing would be broken.
    assert found > 300


def test_training_never_sees_the_held_out_sectors_and_authors(
    conversations: list[LabelledConversation], part_of: dict[str, str]
) -> None:
    for conversation in conversations:
        if part_of[conversation.id] == "train":
            assert conversation.sector not in splits.UNSEEN_TEST_SECTORS + splits.UNSEEN_CALIBRATION_SECTORS
            assert conversation.author not in splits.UNSEEN_TEST_AUTHORS


def test_a_copied_conversation_counts_as_near_duplicate(conversations: list[LabelledConversation]) -> None:
    single = next(c for c in conversations if c.pair is None)
    assert [(left, right) for left, right, _ in splits.near_duplicates([single, single])] == [(0, 1)]

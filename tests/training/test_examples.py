"""Augmentation changes the words that go in and never what they are labelled as."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from training.corpus import LabelledConversation, LabelledTurn, load
from training.examples import augmented
from training.recipe import FULL

NEVER = replace(FULL, cropped_rate=0.0, segmented_rate=0.0, redacted_rate=0.0, noisy_rate=0.0, unpunctuated_rate=0.0)
CONVERSATIONS = load()[::40]


def _marked(turns: tuple[LabelledTurn, ...]) -> Counter[tuple[str, int]]:
    return Counter(
        (label, item.end - item.start) for turn in turns for item in turn.evidence for label in sorted(item.labels)
    )


@pytest.mark.parametrize("rate", ["segmented_rate", "redacted_rate", "noisy_rate", "unpunctuated_rate"])
def test_evidence_and_labels_stay(rate: str) -> None:
    recipe = replace(NEVER, **{rate: 1.0})
    changed = 0
    for conversation in CONVERSATIONS:
        after = augmented(conversation, recipe, random.Random(1))
        assert _marked(after.turns) == _marked(conversation.turns)
        assert Counter(label for turn in after.turns for label in turn.labels) >= Counter(
            label for turn in conversation.turns for label in turn.labels
        )
        changed += after.turns != conversation.turns
    assert changed > len(CONVERSATIONS) / 2


def test_sentences_keep_the_words_of_their_turn() -> None:
    recipe = replace(NEVER, segmented_rate=1.0)
    for conversation in CONVERSATIONS:
        after = augmented(conversation, recipe, random.Random(1))
        assert _words(after) == _words(conversation)


def test_an_evidenced_span_still_reads_as_it_did_in_sentences() -> None:
    recipe = replace(NEVER, segmented_rate=1.0)
    for conversation in CONVERSATIONS:
        before = [turn.text[item.start : item.end] for turn in conversation.turns for item in turn.evidence]
        after = augmented(conversation, recipe, random.Random(1)).turns
        assert [turn.text[item.start : item.end] for turn in after for item in turn.evidence] == before


def _words(conversation: LabelledConversation) -> list[str]:
    return [word for turn in conversation.turns for word in turn.text.split()]

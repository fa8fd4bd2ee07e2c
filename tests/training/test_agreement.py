"""Agreement is whole with oneself, and refuses texts that differ."""

from dataclasses import replace

import pytest

from training import agreement, corpus


def test_an_annotator_agrees_with_herself() -> None:
    conversations = corpus.load()[:40]
    figures = agreement.agreement(conversations, conversations)
    assert figures.pop("conversations") == 40
    assert set(figures.values()) == {1.0}


def test_missed_labels_lower_the_figures() -> None:
    conversations = corpus.load()[:40]
    blank = [
        replace(c, turns=tuple(replace(turn, labels=frozenset(), evidence=()) for turn in c.turns))
        for c in conversations
    ]
    figures = agreement.agreement(conversations, blank)
    assert figures["any mis-selling: F1"] == 0
    assert figures["signals: macro F1"] == 0
    assert figures["interpretation: quadratic kappa"] == 1


def test_another_text_is_refused() -> None:
    left, right = corpus.load()[:2]
    with pytest.raises(ValueError, match="word for word"):
        agreement.agreement([left], [right])


def test_the_committed_second_labels_are_of_the_corpus() -> None:
    figures = agreement.measured()
    assert figures["conversations"] >= 50
    assert 0.5 < figures["any mis-selling: kappa"] <= 1

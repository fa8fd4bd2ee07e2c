"""Labelled conversations as training examples, through serving's own text, pieces and chunks.

An example is one window of the encoder with targets for its fresh pieces; the pieces that only give
context are not learnt from twice. Augmentation changes the input and never the labels.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.core.classifier import ANY_MIS_SELLING, TURN_OUTPUTS, Window
from app.core.conversation import Role
from app.core.labels import EVIDENCE_LABELS, MIS_SELLING, TURN_LABELS, names
from app.core.text import REDACTED, clean
from app.engine.windows import Piece, cut, windows
from app.model.tokenizer import TurnTokenizer
from training.corpus import Evidence, LabelledConversation, LabelledTurn
from training.recipe import Recipe

_TURN_LABELS = {label.name: label for label in TURN_LABELS}
_MIS_SELLING = frozenset(names(MIS_SELLING))
_PUNCTUATION = set(string.punctuation) - {"'", "%", "$"}
# A name or a number inside a sentence, as a redaction takes it out.
_PRIVATE = re.compile(r"(?<=[^.!?\s] )(?:[A-Z][a-z]+|\d[\d,.]*\d|\d)(?!\w)")
_WORD = re.compile(r"[A-Za-z']+")
_SENTENCE_END = re.compile(r"(?<=[.!?]) +")
IGNORED = -1.0


@dataclass(frozen=True, slots=True)
class Example:
    """A window and its targets; `IGNORED` marks what is not learnt from.

    piece_targets: [pieces, TURN_OUTPUTS]; token_targets: [tokens, EVIDENCE_LABELS].
    """

    window: Window
    piece_targets: NDArray[np.float32]
    token_targets: NDArray[np.float32]


def piece_target(turn: LabelledTurn, evidenced: frozenset[str], shown: frozenset[str]) -> NDArray[np.float32]:
    """Targets of one piece: labels with evidence elsewhere in the turn are not this piece's.

    Args:
        turn: the labelled turn.
        evidenced: the turn's labels that some span shows.
        shown: the labels whose spans lie in this piece.
    """
    here = (turn.labels - evidenced) | shown
    target = np.full(len(TURN_OUTPUTS), IGNORED, np.float32)
    for column, name in enumerate(TURN_OUTPUTS):
        if name in _TURN_LABELS:
            if _TURN_LABELS[name].role is turn.role:
                target[column] = float(name in here)
        elif turn.role is Role.AGENT:
            if name == ANY_MIS_SELLING:
                target[column] = float(bool(here & _MIS_SELLING))
            else:
                dimension = (column - TURN_OUTPUTS.index(ANY_MIS_SELLING) - 1) // 2
                target[column] = float(turn.empathy[dimension] >= int(name[-1]))
    return target


def _token_target(turn: LabelledTurn, piece: Piece, evidenced: frozenset[str]) -> NDArray[np.float32]:
    target = np.full((len(piece.token_ids), len(EVIDENCE_LABELS)), IGNORED, np.float32)
    for column, label in enumerate(EVIDENCE_LABELS):
        if label.role is not turn.role or (label.name in turn.labels and label.name not in evidenced):
            continue
        target[1:, column] = 0
        for item in turn.evidence:
            if label.name in item.labels:
                for position, (start, end) in enumerate(piece.spans, 1):
                    if start < item.end and end > item.start:
                        target[position, column] = 1
    return target


def examples(conversation: LabelledConversation, tokenizer: TurnTokenizer) -> list[Example]:
    """All examples of a conversation, one a chunk."""
    texts = [clean(turn.text) for turn in conversation.turns]
    pieces = cut([turn.role for turn in conversation.turns], texts, tokenizer)
    found: list[Example] = []
    for window, fresh in windows(pieces):
        piece_count = window.piece_of_token[-1] + 1
        piece_targets = np.full((piece_count, len(TURN_OUTPUTS)), IGNORED, np.float32)
        token_targets = np.full((len(window.token_ids), len(EVIDENCE_LABELS)), IGNORED, np.float32)
        position = len(window.token_ids) - sum(len(pieces[index].token_ids) for index in fresh)
        for ordinal, index in enumerate(fresh, piece_count - len(fresh)):
            piece = pieces[index]
            turn = conversation.turns[piece.turn]
            evidenced = frozenset().union(*(item.labels for item in turn.evidence))
            tokens = _token_target(turn, piece, evidenced)
            shown = frozenset(
                label.name for column, label in enumerate(EVIDENCE_LABELS) if (tokens[:, column] == 1).any()
            )
            whole = len(piece.spans) == 0 or sum(other.turn == piece.turn for other in pieces) == 1
            piece_targets[ordinal] = piece_target(turn, evidenced, evidenced if whole else shown)
            token_targets[position : position + len(tokens)] = tokens
            position += len(tokens)
        found.append(Example(window, piece_targets, token_targets))
    return found


def _unpunctuated(turn: LabelledTurn) -> LabelledTurn:
    """The turn as a recogniser without punctuation leaves it: marks become blanks, so spans stay."""
    text = "".join(" " if character in _PUNCTUATION else character for character in turn.text)
    return replace(turn, text=text)


def _redacted(turn: LabelledTurn) -> LabelledTurn:
    """The turn with marks for names and numbers, padded with blanks so that spans stay."""
    text = _PRIVATE.sub(lambda match: REDACTED.ljust(len(match[0])), turn.text)
    return replace(turn, text=text)


def _segmented(turn: LabelledTurn) -> list[LabelledTurn]:
    """A turn for each sentence, as a recogniser cuts them; the whole where a label has no sentence of its own."""
    evidenced = frozenset().union(*(item.labels for item in turn.evidence))
    cuts = [match.end() for match in _SENTENCE_END.finditer(turn.text)]
    if turn.labels - evidenced or any(turn.empathy) or not cuts:
        return [turn]
    found: list[LabelledTurn] = []
    for start, end in zip([0, *cuts], [*cuts, len(turn.text)], strict=True):
        inside = [item for item in turn.evidence if start <= item.start and item.end <= end]
        across = [item for item in turn.evidence if item.start < start < item.end]
        if across:
            return [turn]
        evidence = tuple(Evidence(item.start - start, item.end - start, item.labels) for item in inside)
        labels = frozenset().union(*(item.labels for item in inside))
        found.append(replace(turn, text=turn.text[start:end].rstrip(), labels=labels, evidence=evidence))
    return found


def _noisy(turn: LabelledTurn, recipe: Recipe, rng: random.Random) -> LabelledTurn:
    """The turn with some words lost or two of their letters swapped; its length and so its spans stay."""

    def spoil(match: re.Match[str]) -> str:
        word = match[0]
        if rng.random() >= recipe.noise_share:
            return word
        if len(word) < 4 or rng.random() < 0.5:
            return " " * len(word)
        at = rng.randrange(len(word) - 1)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    text = _WORD.sub(spoil, turn.text)
    return replace(turn, text=text) if text.strip() else turn


def augmented(conversation: LabelledConversation, recipe: Recipe, rng: random.Random) -> LabelledConversation:
    """The conversation, now and then without its beginning, cut into sentences, redacted, noisy or unpunctuated."""
    turns: Sequence[LabelledTurn] = conversation.turns
    if rng.random() < recipe.cropped_rate and len(turns) > 4:
        turns = turns[rng.randrange(1, len(turns) // 2) :]
    if rng.random() < recipe.segmented_rate:
        turns = [part for turn in turns for part in _segmented(turn)]
    if rng.random() < recipe.redacted_rate:
        turns = [_redacted(turn) for turn in turns]
    if rng.random() < recipe.noisy_rate:
        turns = [_noisy(turn, recipe, rng) for turn in turns]
    if rng.random() < recipe.unpunctuated_rate:
        turns = [_unpunctuated(turn) for turn in turns]
    return replace(conversation, turns=tuple(turns))

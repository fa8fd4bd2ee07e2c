"""Raw logits of labelled conversations, through serving's pieces and windows.

Calibration needs what the network says before any scaling; everything later goes through `Scorer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.core.classifier import Classifier
from app.core.text import clean
from app.engine.windows import cut, shares, windows
from training.corpus import LabelledConversation


@dataclass(frozen=True, slots=True)
class TurnLogits:
    """Logits of one turn: [TURN_OUTPUTS], and [tokens][EVIDENCE_LABELS] with the tokens' places."""

    turn: NDArray[np.float64]
    tokens: NDArray[np.float64]
    spans: tuple[tuple[int, int], ...]


def logits_of(conversation: LabelledConversation, classifier: Classifier) -> list[TurnLogits]:
    """One entry a turn; a long turn has the highest logit of its pieces."""
    roles = [turn.role for turn in conversation.turns]
    pieces = cut(roles, [clean(turn.text) for turn in conversation.turns], classifier)
    turns: list[list[NDArray[np.float64]]] = [[] for _ in roles]
    tokens: list[list[NDArray[np.float64]]] = [[] for _ in roles]
    spans: list[list[tuple[int, int]]] = [[] for _ in roles]
    for window, fresh in windows(pieces):
        output = classifier.forward(window)
        for part in shares(window, pieces[fresh.start : fresh.stop], output):
            turn = part.piece.turn
            turns[turn].append(np.asarray(part.logits))
            tokens[turn].append(np.asarray(part.token_logits))
            spans[turn] += part.piece.spans
    return [TurnLogits(np.max(turns[i], axis=0), np.concatenate(tokens[i]), tuple(spans[i])) for i in range(len(roles))]


def all_logits(
    conversations: Sequence[LabelledConversation], classifier: Classifier, quiet: bool = False
) -> list[list[TurnLogits]]:
    """`logits_of` each conversation."""
    bar: Iterable[LabelledConversation] = tqdm(conversations, desc="predict", unit="conversation", disable=quiet)
    return [logits_of(conversation, classifier) for conversation in bar]

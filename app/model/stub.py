"""A classifier without weights and with known answers: for tests, documentation and load tests.

It knows a handful of words; a piece that holds one shows the word's label, and the word is its
evidence. What it answers is no opinion on a conversation.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

from app.core.calibration import Calibration, Linear, Platt
from app.core.classifier import ANY_MIS_SELLING, TURN_OUTPUTS, Encoded, Memory, Output, Window
from app.core.conversation import Role
from app.core.labels import EVIDENCE_LABELS, MIS_SELLING, TURN_LABELS, names
from app.core.tally import EMPATHY_FEATURES, RISK_FEATURES
from app.model.replay import joined

KNOWN_WORDS = {
    "guaranteed": "exaggeration",
    "ignore": "omission",
    "free": "pricing_trickery",
    "instead": "bait_and_switch",
    "hurry": "pressure",
    "already": "unauthorised",
    "regardless": "unsuitable",
    "costs": "disclosure",
    "agree": "consent_check",
    "think": "respects_refusal",
    "whatever": "dismissive",
    "need": "need",
    "no": "reluctance",
    "how": "confusion",
    "ill": "vulnerability",
    "angry": "dissatisfaction",
    "sorry": "emotional_reaction_1",
    "understand": "interpretation_1",
    "what": "exploration_1",
}
_WORD = re.compile(r"\w+|[^\w\s]")
_PRESENT, _ABSENT = 4.0, -4.0
_ROLE_IDS = {role: number for number, role in enumerate(Role)}


def _id(word: str) -> int:
    return 1000 + zlib.crc32(word.lower().encode("utf-8", "replace")) % 1_000_000_000


_LABEL_OF_ID = {_id(word): label for word, label in KNOWN_WORDS.items()}
_EVIDENCE_COLUMN = {label.name: column for column, label in enumerate(EVIDENCE_LABELS)}


class StubClassifier:
    """Answers by `KNOWN_WORDS`."""

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Words and punctuation marks as tokens."""
        matches = [list(_WORD.finditer(text)) for text in texts]
        return [
            Encoded(tuple(_id(match.group()) for match in found), tuple(match.span() for match in found))
            for found in matches
        ]

    def role_token(self, role: Role) -> int:
        """A number for each role."""
        return _ROLE_IDS[role]

    def forward(self, window: Window, memory: Memory | None = None) -> Output:
        """Known words are present, everything else is absent."""
        pieces = [[_ABSENT] * len(TURN_OUTPUTS) for _ in range(window.piece_of_token[-1] + 1)]
        tokens = [[_ABSENT] * len(EVIDENCE_LABELS) for _ in window.token_ids]
        for position, (id_, piece) in enumerate(zip(window.token_ids, window.piece_of_token, strict=True)):
            label = _LABEL_OF_ID.get(id_)
            if label is None:
                continue
            pieces[piece][TURN_OUTPUTS.index(label)] = _PRESENT
            if label in names(MIS_SELLING):
                pieces[piece][TURN_OUTPUTS.index(ANY_MIS_SELLING)] = _PRESENT
            if label in _EVIDENCE_COLUMN:
                tokens[position][_EVIDENCE_COLUMN[label]] = _PRESENT
        return Output(pieces, tokens, joined(window, memory))


def stub_calibration() -> Calibration:
    """A calibration that leaves logits as they are."""
    same = Platt(1.0, 0.0)
    return Calibration(
        turn=dict.fromkeys(TURN_OUTPUTS, same),
        token=dict.fromkeys(names(EVIDENCE_LABELS), same),
        risk=Linear(0.0, dict.fromkeys(RISK_FEATURES, 0.0) | {"strongest": 1.0}),
        empathy=Linear(0.0, dict.fromkeys(EMPATHY_FEATURES, 0.5)),
        thresholds=dict.fromkeys(names(TURN_LABELS), 0.5),
        token_thresholds=dict.fromkeys(names(EVIDENCE_LABELS), 0.5),
        medium_from=0.3,
        high_from=0.7,
    )

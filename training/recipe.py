"""The settings of one training run: every number that shapes a release, in one frozen record."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a release is trained. Rates are those at the peak of the schedule."""

    name: str = "softsell-en"
    seed: int = 20261121
    epochs: int = 7
    step_tokens: int = 3072
    encoder_rate: float = 2.0e-4
    head_rate: float = 1.0e-3
    weight_decay: float = 0.02
    warmup_share: float = 0.08
    dropout: float = 0.1
    evidence_weight: float = 4.0
    # Augmentation: how often a token is masked, a conversation loses its punctuation or its beginning, has
    # marks in place of names and numbers, is cut into sentences, or has this share of its words spoilt.
    mask_rate: float = 0.08
    unpunctuated_rate: float = 0.25
    cropped_rate: float = 0.25
    redacted_rate: float = 0.15
    segmented_rate: float = 0.2
    noisy_rate: float = 0.12
    noise_share: float = 0.12
    gradient_norm: float = 1.0
    # Without, the encoder is small and starts from nothing: for running the whole chain as a test.
    pretrained: bool = True

    def as_dict(self) -> dict[str, Any]:
        """For the manifest of the release."""
        return asdict(self)


FULL = Recipe()
TINY = Recipe(name="softsell-tiny", epochs=1, pretrained=False)

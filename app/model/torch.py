"""The classifier over PyTorch: the reference that every other engine is held against."""

from __future__ import annotations

import json
from collections.abc import Sequence

import safetensors.torch
import torch

from app.core.classifier import Encoded, Memory, Output, Window
from app.core.conversation import Role
from app.model.network import Network, encoder_config
from app.model.release import TOKENIZER_FILE, WEIGHTS_FILE, Release
from app.model.replay import joined
from app.model.tokenizer import TurnTokenizer

# The metadata entry of model.safetensors that holds the encoder's configuration as JSON.
CONFIG_KEY = "encoder"


def network_of(release: Release) -> Network:
    """The network of an opened release, in evaluation mode and 32 bits; weights stored in 16 bits are widened."""
    content = release.files[WEIGHTS_FILE]
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    network = Network(encoder_config(**json.loads(header["__metadata__"][CONFIG_KEY])))
    weights = {name: tensor.float() for name, tensor in safetensors.torch.load(content).items()}
    network.load_state_dict(weights)
    return network.eval()


class TorchClassifier:
    """A network in evaluation mode, in 32 bits."""

    def __init__(self, network: Network, tokenizer: TurnTokenizer) -> None:
        self._network = network.eval()
        self._tokenizer = tokenizer

    @classmethod
    def of(cls, release: Release) -> TorchClassifier:
        """The classifier of an opened release."""
        return cls(network_of(release), TurnTokenizer(release.files[TOKENIZER_FILE]))

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Token ids and character spans of each text."""
        return self._tokenizer.encode(texts)

    def role_token(self, role: Role) -> int:
        """The id of the token that opens a piece of this role."""
        return self._tokenizer.role_token(role)

    @torch.inference_mode()
    def forward(self, window: Window, memory: Memory | None = None) -> Output:
        """One pass over one window; what a memory holds is read again."""
        read = joined(window, memory)
        ordinals = torch.tensor(read.window.piece_of_token)
        starts = torch.nonzero(torch.diff(ordinals, prepend=torch.tensor([-1]))).flatten()
        piece_logits, token_logits = self._network(
            torch.tensor([read.window.token_ids]), ordinals[None], starts[None], torch.arange(len(ordinals))[None]
        )
        fresh = window.piece_of_token[-1] + 1
        return Output(piece_logits[0, -fresh:].tolist(), token_logits[0, -len(window.token_ids) :].tolist(), read)

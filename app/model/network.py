"""The network: a BERT encoder under a turn-causal mask, with heads for pieces and for tokens.

A token attends to its own piece of a turn and to earlier ones, never to later ones, through all
layers. A piece's logits come from its role token, the mean of its tokens, and the log-sum-exp of its
own tokens' logits, so that the words which show a label and the turn's verdict are learnt together;
outputs that have no marked words learn which words to look at by themselves. Imports torch and
transformers: for training, for export and as the reference engine; the ONNX engine needs neither.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, BertConfig, BertModel

from app.core.classifier import TURN_OUTPUTS
from app.core.labels import EVIDENCE_LABELS

# The ordinal of a padding token's piece: later than any real one, so nothing attends to it.
PADDING_PIECE = 1_000_000
_MASKED = -1e4


def _attention(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    scaling: float,
    **_: Any,
) -> tuple[Tensor, None]:
    """Plain attention that stays in the inputs' precision.

    Under autocast the stock path computes the softmax in 32 bits, which costs more than the
    products on a CPU. No dropout on the weights: with it, the fast paths are lost.
    """
    with torch.autocast("cpu", enabled=False):
        weights = torch.matmul(query * scaling, key.transpose(2, 3)) + attention_mask.to(query.dtype)
        mixed = torch.matmul(torch.softmax(weights, dim=-1), value)
    return mixed.transpose(1, 2).contiguous(), None


AttentionInterface.register("turn_causal", _attention)


def encoder_config(**settings: Any) -> BertConfig:
    """The encoder's configuration, with the attention above; other settings as transformers has them."""
    config = BertConfig(**settings)
    config._attn_implementation = "turn_causal"
    return config


class SharedDropout(nn.Module):
    """Dropout with one mask for all tokens of a row (Gal and Ghahramani, 2016).

    Drawing a mask per token takes a sixth of a training step on a CPU; this one takes nothing.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, states: Tensor) -> Tensor:
        """Drop features of [batch, positions, features]."""
        if not self.training or self.p == 0:
            return states
        kept = torch.rand(states.shape[0], 1, states.shape[-1]) >= self.p
        return states * (kept.to(states.dtype) / (1 - self.p))


def _share_dropout(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Dropout):
            setattr(module, name, SharedDropout(child.p))
        else:
            _share_dropout(child)


class Network(nn.Module):
    """Encoder and heads; see `forward`."""

    def __init__(self, config: BertConfig, head_dropout: float = 0.1) -> None:
        super().__init__()
        width = config.hidden_size
        self.encoder = BertModel(config, add_pooling_layer=False)
        self.piece_head = nn.Sequential(
            nn.Dropout(head_dropout),
            nn.Linear(2 * width, width),
            nn.GELU(),
            nn.Dropout(head_dropout),
            nn.Linear(width, len(TURN_OUTPUTS)),
        )
        _share_dropout(self)
        self.token_head = nn.Linear(width, len(EVIDENCE_LABELS))
        self.cue_head = nn.Linear(width, len(TURN_OUTPUTS) - len(EVIDENCE_LABELS))
        self.gain = nn.Parameter(torch.full((len(TURN_OUTPUTS),), 0.3))
        # Evidence and cues together have a column for each of the piece's outputs, in this order.
        evidence = [TURN_OUTPUTS.index(label.name) for label in EVIDENCE_LABELS]
        cues = [column for column in range(len(TURN_OUTPUTS)) if column not in evidence]
        order = nn.functional.one_hot(torch.tensor(evidence + cues), len(TURN_OUTPUTS)).float()
        self.columns: Tensor
        self.register_buffer("columns", order, persistent=False)

    def forward(
        self, input_ids: Tensor, piece_of_token: Tensor, piece_starts: Tensor, position_ids: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits of pieces and of tokens.

        Args:
            input_ids: [batch, tokens].
            piece_of_token: [batch, tokens], ordinals that never fall; `PADDING_PIECE` marks padding.
            piece_starts: [batch, pieces], where each piece's role token is; any value for padding.
            position_ids: [batch, tokens].

        Returns:
            [batch, pieces, TURN_OUTPUTS] and [batch, tokens, EVIDENCE_LABELS], in 32 bits.
        """
        hidden_of_later = piece_of_token[:, None, :] > piece_of_token[:, :, None]
        mask = hidden_of_later[:, None].float() * _MASKED
        states = self.encoder(input_ids=input_ids, attention_mask=mask, position_ids=position_ids).last_hidden_state
        token_logits = self.token_head(states).float()

        pieces = torch.arange(piece_starts.shape[1], device=input_ids.device)
        member = (piece_of_token[:, None, :] == pieces[None, :, None]).float()
        counts = member.sum(-1, keepdim=True).clamp(min=1)
        mean = torch.matmul(member.to(states.dtype), states) / counts.to(states.dtype)
        opening = torch.gather(states, 1, piece_starts[:, :, None].expand(-1, -1, states.shape[-1]))
        piece_logits = self.piece_head(torch.cat([opening, mean], dim=-1)).float()

        outside = (1 - member)[..., None] * _MASKED
        cues = torch.cat([token_logits, self.cue_head(states).float()], dim=-1)
        strongest = torch.logsumexp(cues[:, None] + outside, dim=2).clamp(min=-20)
        return piece_logits + (strongest @ self.columns) * self.gain, token_logits

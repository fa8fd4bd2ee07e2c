"""The training loop: plain PyTorch, bf16 autocast, a checkpoint an epoch, resumable, seeded.

Each epoch augments the conversations anew from the seed and the epoch's number alone, so that a run
which is stopped and resumed reads what an uninterrupted one would have read. Batches hold windows
of like length, up to `step_tokens` tokens with padding.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm import tqdm

from app.core.conversation import Role
from app.model.network import PADDING_PIECE, Network, encoder_config
from app.model.tokenizer import TurnTokenizer
from training.corpus import LabelledConversation
from training.examples import IGNORED, Example, augmented, examples
from training.recipe import Recipe

MASK_TOKEN_ID = 103
POSITIONS = 512
_CONFIG_KEYS = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "layer_norm_eps",
    "hidden_act",
)

_UNTRAINED = {"hidden_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 96}


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded tensors of one step; shapes as `Network.forward` says, and targets beside them."""

    input_ids: Tensor
    piece_of_token: Tensor
    piece_starts: Tensor
    position_ids: Tensor
    piece_targets: Tensor
    token_targets: Tensor


def collate(rows: Sequence[Example], mask_rate: float = 0.0, rng: np.random.Generator | None = None) -> Batch:
    """Pad some examples to one batch; with an `rng`, mask tokens and shift positions at random."""
    tokens = max(len(row.window.token_ids) for row in rows)
    pieces = max(len(row.piece_targets) for row in rows)
    ids = np.zeros((len(rows), tokens), np.int64)
    ordinals = np.full((len(rows), tokens), PADDING_PIECE, np.int64)
    starts = np.zeros((len(rows), pieces), np.int64)
    positions = np.tile(np.arange(tokens, dtype=np.int64), (len(rows), 1))
    piece_targets = np.full((len(rows), pieces, rows[0].piece_targets.shape[1]), IGNORED, np.float32)
    token_targets = np.full((len(rows), tokens, rows[0].token_targets.shape[1]), IGNORED, np.float32)
    for index, row in enumerate(rows):
        length = len(row.window.token_ids)
        ids[index, :length] = row.window.token_ids
        ordinals[index, :length] = row.window.piece_of_token
        opening = np.flatnonzero(np.diff(ordinals[index, :length], prepend=-1))
        starts[index, : len(opening)] = opening
        piece_targets[index, : len(row.piece_targets)] = row.piece_targets
        token_targets[index, :length] = row.token_targets
        if rng is not None:
            positions[index] += rng.integers(0, POSITIONS - tokens + 1)
            masked = rng.random(length) < mask_rate
            masked[opening] = False
            ids[index, :length][masked] = MASK_TOKEN_ID
    arrays = (ids, ordinals, starts, positions, piece_targets, token_targets)
    return Batch(*(torch.from_numpy(array) for array in arrays))


def batches(rows: Sequence[Example], step_tokens: int, rng: random.Random) -> list[list[Example]]:
    """Shuffled groups of rows of like length, each within `step_tokens` when padded."""
    shuffled = list(rows)
    rng.shuffle(shuffled)
    found: list[list[Example]] = []
    pool = 16 * max(1, step_tokens // 384)
    for offset in range(0, len(shuffled), pool):
        group: list[Example] = []
        for row in sorted(shuffled[offset : offset + pool], key=lambda row: len(row.window.token_ids)):
            if group and len(row.window.token_ids) * (len(group) + 1) > step_tokens:
                found.append(group)
                group = []
            group.append(row)
        found.append(group)
    rng.shuffle(found)
    return found


def loss_of(network: Network, batch: Batch, evidence_weight: float) -> Tensor:
    """Cross-entropy over all outputs that have a target: pieces, plus evidence times its weight."""
    piece_logits, token_logits = network(batch.input_ids, batch.piece_of_token, batch.piece_starts, batch.position_ids)
    losses = []
    for logits, targets in ((piece_logits, batch.piece_targets), (token_logits, batch.token_targets)):
        known = targets != IGNORED
        losses.append(binary_cross_entropy_with_logits(logits[known], targets[known]))
    return losses[0] + evidence_weight * losses[1]


def initial_network(base: Path | None, tokenizer: TurnTokenizer, recipe: Recipe) -> Network:
    """The pretrained encoder with fresh heads; role tokens start out as the words for the roles.

    Without a `base` the encoder is small and untrained, which is enough to test the chain.
    """
    settings = dict(_UNTRAINED)
    if base is not None:
        stored = json.loads((base / "config.json").read_text())
        settings = {key: stored[key] for key in _CONFIG_KEYS}
    config = encoder_config(**settings, hidden_dropout_prob=recipe.dropout, attention_probs_dropout_prob=0.0)
    network = Network(config, recipe.dropout)
    if base is not None:
        weights = load_file(base / "model.safetensors")
        missing, surplus = network.encoder.load_state_dict(weights, strict=False)
        surplus = [name for name in surplus if not name.startswith(("pooler.", "embeddings.position_ids"))]
        if missing or surplus:
            raise RuntimeError(f"the base does not fit the network: {[*missing, *surplus][:3]}")
    words = network.encoder.embeddings.word_embeddings.weight
    with torch.no_grad():
        for role in (Role.AGENT, Role.CUSTOMER):
            (word,) = tokenizer.encode([role.value])[0].ids
            words[tokenizer.role_token(role)] = words[word]
        # Few turns carry any one label: start from rare, not from even odds.
        last = network.piece_head[-1]
        assert isinstance(last, nn.Linear)
        last.bias.fill_(-2.0)
        network.token_head.bias.fill_(-4.0)
        network.cue_head.bias.fill_(-4.0)
    return network


def parameter_groups(network: Network, recipe: Recipe) -> list[dict[str, object]]:
    """Heads learn faster than the encoder; biases, gains and norms are not decayed."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        rate = recipe.encoder_rate if name.startswith("encoder.") else recipe.head_rate
        decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": held, "lr": rate, "weight_decay": decay} for (rate, decay), held in groups.items()]


def schedule(recipe: Recipe, steps: int) -> Callable[[int], float]:
    """A linear rise and then half a cosine down, as a factor of the peak rate."""
    warmup = max(1, round(recipe.warmup_share * steps))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))

    return factor


def train(
    conversations: Sequence[LabelledConversation],
    base: Path | None,
    tokenizer: TurnTokenizer,
    recipe: Recipe,
    checkpoints: Path,
    data: Mapping[str, object],
    quiet: bool = False,
) -> Network:
    """Train, or go on from the newest checkpoint in `checkpoints`, and return the network.

    A checkpoint belongs to one recipe and one state of the data, told by `data`.

    Raises:
        ValueError: if the newest checkpoint is of another recipe or of other data.
    """
    torch.manual_seed(recipe.seed)
    network = initial_network(base, tokenizer, recipe)
    optimizer = torch.optim.AdamW(parameter_groups(network, recipe), fused=True)
    peaks = [group["lr"] for group in optimizer.param_groups]
    # The number of steps varies a little with augmentation; the plain corpus tells how many to plan for.
    plain = [row for conversation in conversations for row in examples(conversation, tokenizer)]
    steps = recipe.epochs * len(batches(plain, recipe.step_tokens, random.Random(recipe.seed)))
    factor = schedule(recipe, steps)

    checkpoints.mkdir(parents=True, exist_ok=True)
    newest = checkpoints / "newest.pt"
    first_epoch, step = 0, 0
    if newest.exists():
        state = torch.load(newest, weights_only=True)
        if state["recipe"] != recipe.as_dict() or state["data"] != dict(data):
            raise ValueError(f"{newest} is of another recipe or corpus; delete {checkpoints} to train anew")
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        first_epoch, step = state["epoch"], state["step"]

    for epoch in range(first_epoch, recipe.epochs):
        rng = random.Random(f"{recipe.seed}/{epoch}")
        noise = np.random.default_rng([recipe.seed, epoch])
        torch.manual_seed(recipe.seed + epoch)
        rows = [row for c in conversations for row in examples(augmented(c, recipe, rng), tokenizer)]
        network.train()
        began, total, seen = time.monotonic(), 0.0, 0
        bar = tqdm(
            batches(rows, recipe.step_tokens, rng),
            desc=f"epoch {epoch + 1}/{recipe.epochs}",
            unit="step",
            disable=quiet,
        )
        for group in bar:
            for peak, parameters in zip(peaks, optimizer.param_groups, strict=True):
                parameters["lr"] = peak * factor(step)
            with torch.autocast("cpu", torch.bfloat16):
                loss = loss_of(network, collate(group, recipe.mask_rate, noise), recipe.evidence_weight)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), recipe.gradient_norm)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            total, seen = total + loss.item(), seen + 1
            bar.set_postfix(loss=f"{total / seen:.4f}")
        state = {
            "recipe": recipe.as_dict(),
            "data": dict(data),
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": epoch + 1,
            "step": step,
        }
        scratch = newest.with_suffix(".part")
        torch.save(state, scratch)
        scratch.replace(newest)
        print(f"epoch {epoch + 1}: loss {total / max(seen, 1):.4f}, {time.monotonic() - began:.0f} s", flush=True)
    return network.eval()

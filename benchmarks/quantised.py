"""Products of states and weights in 8 bits, each a `Product` of `training.graph`: tried, and measured by `engines`.

Only kinds whose rows do not know of each other can serve: with one scale for a whole window, a turn's score would
depend on what follows it. That rules `per_tensor` out, which stands here for what it gains.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.core.classifier import Window
from app.model.network import Network
from training.graph import Builder, Product, exact

_MOST = 127
_MIDDLE = np.uint8(128)
_TINY = np.float32(1e-6)
# How much of a column's range goes from states to weights (Xiao et al., 2022, SmoothQuant), and the damping of the
# rounding by effect (Frantar et al., 2022, GPTQ).
_BALANCE, _DAMPING = 0.5, 0.01

Floats = NDArray[np.float32]


def _integers(weights: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Weights [in, out] as integers, and the scale of each column."""
    scales = np.abs(weights).max(0) / _MOST
    scales[scales == 0] = 1
    return np.clip(np.rint(weights / scales), -_MOST, _MOST).astype(np.int8), scales.astype(np.float32)


def per_tensor(builder: Builder, states: str, weights: Floats, name: str) -> str:
    """One scale for all states of a run, taken from them."""
    integers, scales = _integers(weights)
    return builder.fused(
        "DynamicQuantizeMatMul",
        states,
        builder.constant(name, integers),
        builder.constant(f"{name}.scales", scales),
    )


def in_blocks(size: int) -> Product:
    """A scale for each block of so many inputs, of weights and of a row's states."""

    def product(builder: Builder, states: str, weights: Floats, name: str) -> str:
        inputs, outputs = weights.shape
        blocks = weights.T.reshape(outputs, inputs // size, size)
        scales = np.maximum(np.abs(blocks).max(-1) / _MOST, _TINY).astype(np.float32)
        stored = np.clip(np.rint(blocks / scales[..., None]) + _MIDDLE, 0, 255).astype(np.uint8)
        return builder.fused(
            "MatMulNBits",
            states,
            builder.constant(name, stored),
            builder.constant(f"{name}.scales", scales.reshape(-1)),
            K=inputs,
            N=outputs,
            bits=8,
            block_size=size,
            accuracy_level=4,
        )

    return product


class Static:
    """One scale for all states of a product, from what was seen on other windows; a row's score is its own."""

    def __init__(self, seen: Mapping[str, Tensor]) -> None:
        self._ranges = {name: (float(states.min()), float(states.max())) for name, states in seen.items()}

    def __call__(self, builder: Builder, states: str, weights: Floats, name: str) -> str:
        """See `Product`."""
        low, high = self._ranges[name]
        scale = builder.constant(f"{name}.scale", np.float32((high - low) / 255))
        zero = builder.constant(f"{name}.zero", np.uint8(round(-low / (high - low) * 255)))
        integers, scales = _integers(weights)
        return builder.fused(
            "MatMulIntegerToFloat",
            builder.node("QuantizeLinear", states, scale, zero),
            builder.constant(name, integers),
            scale,
            builder.constant(f"{name}.scales", scales),
            zero,
        )


@dataclass(frozen=True, slots=True)
class Balanced:
    """Weights [in, out] times the scale of each of their inputs, as integers with the scale of each column."""

    integers: NDArray[np.int8]
    scales: Floats
    inputs: Floats


class PerRow:
    """A scale for each row of states, taken from it: for one graph, since rows of one tensor are rounded once."""

    def __init__(self, balanced: Mapping[str, Balanced] | None = None, kept: Collection[str] = ()) -> None:
        self._balanced = balanced or {}
        self._kept = kept
        self._rows: dict[tuple[str, bytes], tuple[str, str]] = {}

    def __call__(self, builder: Builder, states: str, weights: Floats, name: str) -> str:
        """See `Product`. Products whose name ends like one of those kept stay in 32 bits."""
        if name.endswith(tuple(self._kept)):
            return exact(builder, states, weights, name)
        ready = self._balanced.get(name) or Balanced(*_integers(weights), np.ones(len(weights), np.float32))
        key = states, ready.inputs.tobytes()
        if key not in self._rows:
            self._rows[key] = self._rounded(builder, states, ready.inputs, name)
        rows, largest = self._rows[key]
        unit, middle = self._unit(builder)
        product = builder.fused(
            "MatMulIntegerToFloat",
            rows,
            builder.constant(name, ready.integers),
            unit,
            builder.constant(f"{name}.scales", ready.scales),
            middle,
        )
        return builder.node("Mul", product, largest)

    def _unit(self, builder: Builder) -> tuple[str, str]:
        return builder.constant("unit", np.float32(1 / _MOST)), builder.constant("middle", _MIDDLE)

    def _rounded(self, builder: Builder, states: str, inputs: Floats, name: str) -> tuple[str, str]:
        if np.any(inputs != 1):
            states = builder.node("Mul", states, builder.constant(f"{name}.inputs", 1 / inputs))
        largest = builder.node("ReduceMax", builder.node("Abs", states), axes=[-1], keepdims=1)
        largest = builder.node("Max", largest, builder.constant("tiny", _TINY))
        return builder.node("QuantizeLinear", builder.node("Div", states, largest), *self._unit(builder)), largest


@torch.inference_mode()
def seen(network: Network, windows: Sequence[Window]) -> dict[str, Tensor]:
    """The states [tokens, in] that each product of the encoder reads, by the name of its linear map."""
    found: dict[str, list[Tensor]] = {}

    def keep(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(_module: torch.nn.Module, given: tuple[Tensor, ...]) -> None:
            found.setdefault(name, []).append(given[0][0])

        return network.get_submodule(name).register_forward_pre_hook(hook)

    linear = [name for name, part in network.named_modules() if isinstance(part, torch.nn.Linear)]
    handles = [keep(name) for name in linear if name.startswith("encoder.")]
    for window in windows:
        ordinals = torch.tensor(window.piece_of_token)
        starts = torch.nonzero(torch.diff(ordinals, prepend=torch.tensor([-1]))).flatten()
        network(torch.tensor([window.token_ids]), ordinals[None], starts[None], torch.arange(len(ordinals))[None])
    for handle in handles:
        handle.remove()
    return {name: torch.cat(states) for name, states in found.items()}


@torch.inference_mode()
def balanced(network: Network, states: Mapping[str, Tensor]) -> dict[str, Balanced]:
    """Each product's weights, balanced against its states and rounded by effect on them."""
    weights = {name: network.get_parameter(f"{name}.weight") for name in states}
    made = {}
    for name, given in states.items():
        # Query, key and value read one tensor, which is rounded once.
        group = [other for other in states if other.rpartition(".")[0] == name.rpartition(".")[0]]
        beside = torch.cat([weights[other] for other in group]).abs().amax(0).clamp(min=1e-4)
        inputs = given.abs().amax(0).clamp(min=1e-4) ** _BALANCE / beside ** (1 - _BALANCE)
        inputs /= inputs.log().mean().exp()
        spread = given / inputs
        integers, scales = _rounded_by_effect(weights[name] * inputs, spread.T @ spread / len(spread))
        made[name] = Balanced(integers.T.numpy().astype(np.int8), scales.numpy(), inputs.numpy())
    return made


def _rounded_by_effect(weights: Tensor, second_moments: Tensor) -> tuple[Tensor, Tensor]:
    """Weights [out, in] as integers with a scale for each output, rounded input by input.

    What rounding an input changes, the inputs still to come make up for.
    """
    width = weights.shape[1]
    damped = second_moments + torch.eye(width) * second_moments.diagonal().mean() * _DAMPING
    inverse = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)
    left, integers = weights.clone(), torch.zeros_like(weights)
    scales = weights.abs().amax(1) / _MOST
    for column in range(width):
        integers[:, column] = (left[:, column] / scales).round().clamp(-_MOST, _MOST)
        error = (left[:, column] - integers[:, column] * scales) / inverse[column, column]
        left[:, column:] -= error[:, None] * inverse[column, column:]
    return integers, scales

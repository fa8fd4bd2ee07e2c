"""Products in 8 bits are near those in 32, and a row's is its own, but for the kind that is shown not to be."""

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch", reason="products are fitted to a network")

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from app.core.classifier import Window  # noqa: E402
from app.model.network import Network, encoder_config  # noqa: E402
from benchmarks import quantised  # noqa: E402
from training.graph import Builder, Product, exact  # noqa: E402

NAME = "encoder.encoder.layer.0.intermediate.dense"
ROWS, INPUTS, OUTPUTS = 12, 64, 96
RNG = np.random.default_rng(3)
STATES = RNG.normal(size=(1, ROWS, INPUTS)).astype(np.float32)
WEIGHTS = (RNG.normal(size=(INPUTS, OUTPUTS)) * 0.1).astype(np.float32)


def computed(product: Product, states: np.ndarray, weights: np.ndarray = WEIGHTS) -> np.ndarray:
    builder = Builder()
    made = product(builder, "states", weights, NAME)
    graph = helper.make_graph(
        builder.made,
        "product",
        [helper.make_tensor_value_info("states", TensorProto.FLOAT, [1, None, len(weights)])],
        [helper.make_tensor_value_info(made, TensorProto.FLOAT, None)],
        builder.constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    output: np.ndarray = session.run(None, {"states": states})[0]
    return output


@pytest.mark.parametrize(
    ("kind", "own_rows"),
    [
        (lambda: exact, True),
        (quantised.PerRow, True),
        (lambda: quantised.Static({NAME: torch.tensor(STATES)}), True),
        (lambda: quantised.in_blocks(32), True),
        (lambda: quantised.per_tensor, False),
    ],
    ids=["32 bits", "a row", "for all runs", "blocks", "a run"],
)
def test_products_are_near_and_rows_are_their_own(kind: Callable[[], Product], own_rows: bool) -> None:
    expected = STATES @ WEIGHTS
    whole = computed(kind(), STATES)
    assert np.abs(whole - expected).max() <= 0.02 * np.abs(expected).max()
    louder = STATES.copy()
    louder[0, -1] *= 50
    changed = np.abs(computed(kind(), louder)[0, :-1] - whole[0, :-1]).max()
    assert (changed <= 1e-6) == own_rows


def test_rounding_by_effect_beats_rounding_to_the_nearest() -> None:
    network = Network(
        encoder_config(
            vocab_size=50,
            hidden_size=INPUTS,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=OUTPUTS,
        )
    ).eval()
    windows = [Window(tuple(RNG.integers(0, 50, 60).tolist()), (0,) * 30 + (1,) * 30) for _ in range(6)]
    seen = quantised.seen(network, windows)
    assert seen[NAME].shape == (6 * 60, INPUTS)
    balanced = quantised.balanced(network, seen)
    assert set(balanced) == set(seen)
    weights = network.get_parameter(f"{NAME}.weight").detach().numpy().T
    states = seen[NAME].numpy()
    ready = balanced[NAME]
    by_effect = (states / ready.inputs) @ (ready.integers * ready.scales)
    nearest = np.abs(weights).max(0) / 127
    to_the_nearest = states @ (np.rint(weights / nearest) * nearest)
    expected = states @ weights
    assert np.square(by_effect - expected).mean() < np.square(to_the_nearest - expected).mean()

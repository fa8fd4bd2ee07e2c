"""The graph written by hand computes what the network does."""

import random

import pytest

torch = pytest.importorskip("torch", reason="the graph is built from a network")

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402

from app.model.network import Network, encoder_config  # noqa: E402
from training import export, graph  # noqa: E402

TOLERANCE = 1e-5
LAYERS, HEADS, WIDTH = 2, 4, 32


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(5)
    config = encoder_config(
        vocab_size=100,
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=64,
        initializer_range=0.2,
    )
    made = Network(config).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return export.rounded(made)


@pytest.fixture(scope="module")
def session(network: Network) -> onnxruntime.InferenceSession:
    model = graph.build(network)
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def inputs(lengths: list[int]) -> dict[str, np.ndarray]:
    rng = random.Random(sum(lengths))
    tokens = sum(lengths)
    return {
        "input_ids": np.array([[rng.randrange(100) for _ in range(tokens)]]),
        "piece_of_token": np.repeat(np.arange(len(lengths)), lengths)[None],
        "piece_starts": np.cumsum([0, *lengths[:-1]])[None],
        "position_ids": np.arange(tokens)[None],
    }


@pytest.mark.parametrize("lengths", [[1], [2, 1], [7, 30, 1, 12], [1] * 40, [200]])
def test_graph_and_network_agree(network: Network, session: onnxruntime.InferenceSession, lengths: list[int]) -> None:
    given = inputs(lengths)
    nothing = np.empty((1, HEADS, 0, WIDTH // HEADS), np.float32)
    past = {given.name: nothing for given in session.get_inputs() if given.name.startswith("past_")}
    assert len(past) == 2 * LAYERS
    pieces, tokens, *kept = session.run(None, given | past)
    names = ("input_ids", "piece_of_token", "piece_starts", "position_ids")
    with torch.inference_mode():
        expected = network(*(torch.tensor(given[name]) for name in names))
    assert np.abs(pieces - expected[0].numpy()).max() <= TOLERANCE
    assert np.abs(tokens - expected[1].numpy()).max() <= TOLERANCE
    assert {array.shape for array in kept} == {(1, HEADS, sum(lengths), WIDTH // HEADS)}


def test_large_weights_are_stored_in_16_bits(network: Network) -> None:
    stored = {tensor.data_type for tensor in graph.build(network).graph.initializer if np.prod(tensor.dims) >= WIDTH**2}
    assert stored == {onnx.TensorProto.FLOAT16}

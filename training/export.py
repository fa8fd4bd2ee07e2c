"""Network to release files: safetensors in 16 bits, and an ONNX graph over the same 16-bit weights.

The graph stores its large weights in 16 bits behind a cast that ONNX Runtime folds when it loads,
so that a release takes half the space and both engines compute in 32 bits with equal numbers.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from app.core.calibration import Calibration
from app.model.network import Network
from app.model.release import CALIBRATION_FILE, LABELS_FILE, ONNX_FILE, TOKENIZER_FILE, WEIGHTS_FILE
from app.model.torch import CONFIG_KEY
from training.seal import labels_document, write_json

INPUTS = ("input_ids", "piece_of_token", "piece_starts", "position_ids")
OUTPUTS = ("piece_logits", "token_logits")
OPSET = 17
_LARGE_ELEMENTS = 4096


def rounded(network: Network) -> Network:
    """The network with every weight rounded to what 16 bits hold, in place."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
    return network


def save_weights(network: Network, path: Path) -> None:
    """Weights in 16 bits, with the encoder's configuration as metadata."""
    config = network.encoder.config
    kept = {key: value for key, value in config.to_diff_dict().items() if not key.startswith(("_", "transformers"))}
    weights = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, path, metadata={CONFIG_KEY: json.dumps(kept, sort_keys=True)})
    # safetensors writes files that only their owner may read; a service runs as somebody else.
    path.chmod(0o644)


def _store_large_weights_in_16_bits(model: onnx.ModelProto) -> None:
    graph = model.graph
    casts = []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or int(np.prod(tensor.dims)) < _LARGE_ELEMENTS:
            continue
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name + "_16")
        casts.append(helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
        graph.initializer.remove(tensor)
        graph.initializer.append(half)
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])


def save_onnx(network: Network, path: Path) -> None:
    """The graph with free sizes of batch, tokens and pieces."""
    ordinals = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 2, 2, 2]])
    starts = torch.tensor([[0, 3, 7]])
    example = (torch.randint(5, 100, ordinals.shape), ordinals, starts, torch.arange(ordinals.shape[1])[None])
    axes = {name: {0: "batch", 1: "tokens"} for name in (*INPUTS, *OUTPUTS)}
    axes["piece_starts"] = axes["piece_logits"] = {0: "batch", 1: "pieces"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            example,
            str(path),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    _store_large_weights_in_16_bits(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def write_model(directory: Path, network: Network, tokenizer: bytes, calibration: Calibration) -> None:
    """The files that scores come from."""
    directory.mkdir(parents=True, exist_ok=True)
    save_weights(network, directory / WEIGHTS_FILE)
    save_onnx(network, directory / ONNX_FILE)
    (directory / TOKENIZER_FILE).write_bytes(tokenizer)
    write_json(directory / CALIBRATION_FILE, calibration.as_dict())
    write_json(directory / LABELS_FILE, labels_document())

"""Network to release files: safetensors in 16 bits, and an ONNX graph over the same 16-bit weights.

A release takes half the space so, and both engines compute in 32 bits with equal numbers.
"""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import torch
from safetensors.torch import save_file

from app.core.calibration import Calibration
from app.model.network import Network
from app.model.release import CALIBRATION_FILE, LABELS_FILE, ONNX_FILE, TOKENIZER_FILE, WEIGHTS_FILE
from app.model.torch import CONFIG_KEY
from training import graph
from training.seal import labels_document, write_json


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


def save_onnx(network: Network, path: Path) -> None:
    """The graph that serves."""
    model = graph.build(network)
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

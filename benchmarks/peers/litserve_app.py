"""LitServe with dynamic batching: `python -m benchmarks.peers.litserve_app PORT torch|onnx`."""

from __future__ import annotations

import sys
from typing import Any

import litserve

from benchmarks.peers.classifier import Classifier

MOST_TEXTS = 32
WAIT_S = 0.005


class Api(litserve.LitAPI):
    """Its hooks around the model."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - the signature is LitServe's
        """Load the model in the worker."""
        self.classifier = Classifier(sys.argv[2])

    def decode_request(self, request: dict[str, str]) -> str:
        """The text."""
        return request["text"]

    def batch(self, inputs: list[str]) -> list[str]:
        """Texts stay texts."""
        return list(inputs)

    def predict(self, x: list[str]) -> list[list[float]]:
        """One pass."""
        return self.classifier(x)

    def unbatch(self, output: list[list[float]]) -> list[list[float]]:
        """A row a text."""
        return output

    def encode_response(self, output: list[float]) -> dict[str, Any]:
        """The answer."""
        return {"scores": output}


if __name__ == "__main__":
    server = litserve.LitServer(
        Api(max_batch_size=MOST_TEXTS, batch_timeout=WAIT_S), accelerator="cpu", workers_per_device=1
    )
    server.run(port=int(sys.argv[1]), host="127.0.0.1", log_level="warning", generate_client_file=False)

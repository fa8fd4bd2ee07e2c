"""mosec with dynamic batching: `PEER_ENGINE=torch|onnx python -m benchmarks.peers.mosec_app --port PORT`."""

from __future__ import annotations

import os
from typing import Any

import mosec

from benchmarks.peers.classifier import Classifier

MOST_TEXTS = 32
WAIT_MS = 5


class Worker(mosec.Worker):
    """The model in its process."""

    def __init__(self) -> None:
        # An environment variable, since mosec reads the command line itself.
        self.classifier = Classifier(os.environ["PEER_ENGINE"])

    def forward(self, data: list[dict[str, str]]) -> list[dict[str, Any]]:
        """One pass over a batch."""
        return [{"scores": row} for row in self.classifier([item["text"] for item in data])]


if __name__ == "__main__":
    server = mosec.Server()
    server.append_worker(Worker, num=1, max_batch_size=MOST_TEXTS, max_wait_time=WAIT_MS)
    server.run()

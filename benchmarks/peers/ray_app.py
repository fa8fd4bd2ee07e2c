"""Ray Serve with `@serve.batch`: `python -m benchmarks.peers.ray_app PORT torch|onnx`."""

from __future__ import annotations

import signal
import sys
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

from benchmarks.peers.classifier import Classifier

MOST_TEXTS = 32
WAIT_S = 0.005


# Ray lets a replica of one CPU compute with one thread.
@serve.deployment(num_replicas=1, max_ongoing_requests=128, ray_actor_options={"num_cpus": 2})
class Application:
    """One replica."""

    def __init__(self, engine: str) -> None:
        self.classifier = Classifier(engine)

    @serve.batch(max_batch_size=MOST_TEXTS, batch_wait_timeout_s=WAIT_S)
    async def run(self, texts: list[str]) -> list[list[float]]:
        """One pass over a batch."""
        return self.classifier(texts)

    async def __call__(self, request: Request) -> dict[str, Any]:
        """The answer to one text."""
        return {"scores": await self.run((await request.json())["text"])}


def main() -> None:
    """Serve until interrupted."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=200_000_000)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
        serve.run(Application.bind(sys.argv[2]), route_prefix="/classify", name="peer")
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()

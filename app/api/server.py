"""Runs the application under uvicorn until SIGTERM or SIGINT, and ends within the time of a container stop."""

from __future__ import annotations

import logging
import os
import signal
from types import FrameType

import uvicorn

from app.api.app import create_app
from app.api.connections import BoundedProtocol
from app.api.runtime import Runtime
from app.observe import LOGGER, configure_logging
from app.settings import Settings

# With the drain after it, this stays under the 30 s that a container is usually given.
GRACEFUL_SHUTDOWN_S = 25
MAX_WEBSOCKET_BYTES = 65_536


class _Server(uvicorn.Server):
    """Stops by itself if the release cannot be opened."""

    def __init__(self, config: uvicorn.Config, runtime: Runtime) -> None:
        super().__init__(config)
        self._runtime = runtime

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second; true ends the server."""
        return await super().on_tick(counter) or self._runtime.failure is not None


def serve(settings: Settings) -> None:
    """Serve until told to stop; requests in flight are answered first.

    There is no limit of concurrent connections on purpose: uvicorn's counts idle ones, so that a few
    half-sent requests would lock everyone out. The engine bounds the work instead.

    Raises:
        InvalidRelease: if the release cannot be opened.
        ModelFailed: if it opens but cannot score.
    """
    configure_logging(settings.log_level)
    application = create_app(settings)
    runtime: Runtime = application.state.runtime
    config = uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        http=BoundedProtocol,
        loop="auto",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
        ws_max_size=MAX_WEBSOCKET_BYTES,
    )
    server = _Server(config, runtime)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # uvicorn raises the signal anew when it is done; this makes that an ordinary end.
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if runtime.hangs:
        logging.getLogger(LOGGER).error("a forward pass hangs; leaving without it")
        logging.shutdown()
        os._exit(1)
    if runtime.failure is not None:
        raise runtime.failure

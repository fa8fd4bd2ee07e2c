"""Runs the application under uvicorn until SIGTERM or SIGINT, and ends within the time of a container stop."""

from __future__ import annotations

import logging
import os
import signal
from types import FrameType

import uvicorn

from app.api.app import create_app
from app.api.connections import BoundedProtocol, BoundedWebSocket
from app.api.runtime import Runtime
from app.build import keys_of
from app.core.errors import SoftsellError
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


class NobodyAllowed(SoftsellError):
    """Callers need a key, and there is none that is valid."""

    code = "nobody_allowed"


def _check_keys(settings: Settings) -> None:
    """Say in the log who is let in. Raises `NobodyAllowed` if nobody could be, and `StoreUnavailable`."""
    logger = logging.getLogger(LOGGER)
    if not settings.keys_required:
        logger.warning("callers need no key", extra={"fields": {"host": settings.host, "auth": settings.auth}})
        return
    keys = keys_of(settings)
    try:
        if not keys.any_valid():
            why = "by SOFTSELL_AUTH=keys" if settings.auth == "keys" else f"on {settings.host}, which is not loopback,"
            raise NobodyAllowed(
                f"{why} callers need a key, and the store holds none that is valid; make one with "
                "`softsell keys create NAME`, or listen on 127.0.0.1, or serve without keys by --no-auth "
                "(SOFTSELL_AUTH=none) if something in front asks who calls"
            )
    finally:
        keys.database.close()
    logger.info("callers need a key", extra={"fields": {"host": settings.host, "auth": settings.auth}})


def serve(settings: Settings) -> None:
    """Serve until told to stop; requests in flight are answered first.

    There is no limit of concurrent connections on purpose: uvicorn's counts idle ones, so that a few
    half-sent requests would lock everyone out. The engine bounds the work instead.

    Raises:
        NobodyAllowed: if callers need a key and there is none; nothing listens then.
        StoreUnavailable: if callers need a key and the store does not say whether there is one.
        InvalidRelease: if the release cannot be opened.
        ModelFailed: if it opens but cannot score.
    """
    configure_logging(settings.log_level)
    _check_keys(settings)
    application = create_app(settings)
    runtime: Runtime = application.state.runtime
    config = uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        http=BoundedProtocol,
        ws=BoundedWebSocket,
        loop="auto",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
        ws_max_size=MAX_WEBSOCKET_BYTES,
        # A window of each side and socket costs more memory than small frames gain.
        ws_per_message_deflate=False,
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

"""What one application has while it runs: the opened release, its batcher, its metrics.

The release is opened beside the running server, so that a probe gets an answer from the first
moment; until then, and whenever the model does not work, `NotReady` says so.
"""

from __future__ import annotations

import asyncio
import logging

from app.api.access.keyring import Keyring
from app.api.access.tenant import Caller
from app.api.access.tickets import Tickets
from app.api.keeping import Keeper
from app.api.problems import NotReady
from app.build import Service, build
from app.core.conversation import Conversation, Role, Turn
from app.core.errors import InvalidRelease, SoftsellError
from app.core.scores import ConversationScore
from app.engine.batcher import Batcher
from app.observe import LOGGER, Metrics
from app.settings import Settings
from app.store.keys import Keys

# A forward that succeeded this recently is as good as a new one.
FRESH_S = 10.0
# A readiness probe waits no longer than this for a forward of its own.
PROBE_TIMEOUT_S = 2.0
# By then the server has waited for all requests already.
DRAIN_S = 2.0
# Short enough for any sensible limit.
_PROBE = Conversation(turns=(Turn("0", Role.AGENT, "Hello!"),))

logger = logging.getLogger(LOGGER)


class Runtime:
    """State of one application between its start and its end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.keeper = Keeper(settings, self.metrics)
        # None where nobody is asked for a key.
        self.keyring = Keyring(Keys(self.keeper.database), self.keeper) if settings.keys_required else None
        self.tickets = Tickets()
        self.failure: SoftsellError | None = None
        self.hangs = False
        self._service: Service | None = None
        self._batcher: Batcher | None = None
        self._opening: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[ConversationScore] | None = None
        self.metrics.watch("queue_depth", "Conversations that wait for a worker.", lambda: self._count("waiting"))
        self.metrics.watch("workers_busy", "Conversations being scored.", lambda: self._count("running"))
        self.metrics.watch("ready", "1 if the model works, by its last outcomes.", self._is_healthy)

    def start(self) -> None:
        """Begin to open the release; returns at once."""
        self._opening = asyncio.create_task(self._open())
        self.keeper.start()
        if self.keyring is not None:
            self.keyring.start()

    async def close(self) -> None:
        """Finish what is being scored. `hangs` is true if a forward does not end, so that only an exit helps."""
        for task in (self._opening, self._probing):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._batcher is not None:
            self.hangs = not await self._batcher.close(DRAIN_S)
        if self.keyring is not None:
            await self.keyring.close()
        await self.keeper.close()

    @property
    def service(self) -> Service:
        """The opened service. Raises `NotReady` until there is one."""
        if self._service is None:
            # The failure itself names files of the server; it is in the log.
            loading = "the model is being loaded; try again in a few seconds"
            raise NotReady(loading if self.failure is None else "the model cannot be loaded; see the server's log")
        return self._service

    def charge(self, caller: Caller, turns: int) -> None:
        """Count turns of a caller before they are scored. Raises what `Keyring.charge` raises."""
        if self.keyring is not None and caller.key_id is not None:
            self.keyring.charge(caller.key_id, turns)

    async def score(
        self,
        conversation: Conversation,
        *,
        evidence: bool = True,
        scope: str,
        batch: bool = False,
        goes_on: bool = False,
    ) -> ConversationScore:
        """Score a caller's conversation; see `Batcher.score`. Raises what it raises, or `NotReady`.

        `scope` is that of `app.api.access.tenant`: what was scored for one key is not found for another.
        """
        score = await self._ready_batcher().score(
            conversation, evidence=evidence, scope=scope, batch=batch, goes_on=goes_on
        )
        self.metrics.conversations.inc()
        self.metrics.turns.inc(len(conversation.turns))
        self.metrics.tokens.inc(score.tokens)
        return score

    async def check_ready(self) -> None:
        """Return if the model has just shown that it works; else see whether it does.

        Raises:
            NotReady: if the release is not open, or a forward fails or takes too long.
        """
        batcher = self._ready_batcher()
        health = batcher.health
        if health.stuck:
            raise NotReady("no forward pass comes to an end; restart the server")
        if health.healthy and health.last_success_s < FRESH_S:
            return
        # One probe at a time, shared by whoever asks meanwhile.
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(batcher.score(_PROBE))
            # Looked at even if nobody waits so long, so that asyncio does not complain of it.
            self._probing.add_done_callback(lambda done: done.cancelled() or done.exception())
        done, _ = await asyncio.wait([self._probing], timeout=PROBE_TIMEOUT_S)
        if not done:
            raise NotReady("the model has not answered a test sentence in time; try again later")
        if error := self._probing.exception():
            raise NotReady(f"the model does not answer a test sentence ({getattr(error, 'code', 'failed')})")

    def check_alive(self) -> None:
        """Raise `NotReady` if every worker hangs, which only a restart cures."""
        if self._batcher is not None and self._batcher.health.stuck:
            raise NotReady("no forward pass comes to an end; restart the server")

    def _ready_batcher(self) -> Batcher:
        _ = self.service
        assert self._batcher is not None  # noqa: S101 - opened together with the service
        return self._batcher

    def _count(self, name: str) -> int:
        return getattr(self._batcher, name, 0)

    def _is_healthy(self) -> bool:
        return self._batcher is not None and self._batcher.health.healthy

    async def _open(self) -> None:
        settings = self.settings
        try:
            service = await asyncio.to_thread(build, settings)
            batcher = Batcher(service.scorer, settings.limits, settings.workers, self.metrics.model_failures.inc)
            # Nothing is answered before a real forward has succeeded.
            await batcher.score(_PROBE)
        except SoftsellError as error:
            self.failure = error
        except ImportError as error:
            wanted = f"the engine {settings.engine} needs the package {error.name}, which is not installed"
            self.failure = InvalidRelease(f"{wanted}; install it, or set SOFTSELL_ENGINE=onnx")
        except Exception as error:
            logger.exception("the release cannot be opened")
            self.failure = InvalidRelease(f"the release cannot be opened ({type(error).__name__}); get it again")
        else:
            self._service, self._batcher = service, batcher
            logger.info("ready", extra={"fields": {"model_version": service.model_version}})
        if self.failure is not None:
            logger.error("not ready: %s", self.failure)

"""What the live conversations of one application share: where they are held, how they are scored, their upkeep."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from app.api.access.tenant import Caller
from app.api.runtime import Runtime
from app.core.alerts import AlertPolicy, Change
from app.core.conversation import Channel
from app.engine.live import LiveConversation, Settled
from app.engine.open_conversations import Held, OpenConversations

_UPKEEP_EVERY_S = 5.0


class LiveState:
    """The open conversations of both doors."""

    def __init__(self, runtime: Runtime, tell: Callable[[Held, Sequence[Change]], None]) -> None:
        """`tell` is given the alerts of a conversation that changed; it returns at once and never raises."""
        self.runtime = runtime
        self._tell = tell
        self.open = OpenConversations(runtime.settings.limits)
        self._upkeep: asyncio.Task[None] | None = None
        watch = runtime.metrics.watch
        watch("live_conversations", "Live conversations that are open.", lambda: len(self.open))
        watch("live_bytes", "About how many bytes live conversations take.", lambda: self.open.nbytes)

    def start(self) -> None:
        """Begin the upkeep; returns at once."""
        self._upkeep = asyncio.create_task(self._keep_up())

    async def close(self) -> None:
        """End the upkeep."""
        if self._upkeep is not None:
            self._upkeep.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._upkeep

    def begin(
        self, caller: Caller, id_: str, channel: Channel | None, policy: AlertPolicy, shown_id: str | None
    ) -> Held:
        """Hold a new conversation. Raises `Overloaded` where there is no room.

        Args:
            caller: whose it is.
            channel: how it is held.
            policy: when it rings.
            id_: by which it is held; the caller's own, or one that was made.
            shown_id: the caller's own, if there is one.
        """
        self.open.check_room()
        live = LiveConversation(self.runtime.settings.limits, policy, caller.scope, shown_id, channel)
        return self.open.open(live, caller.tenant, id_)

    async def advance(self, held: Held, caller: Caller) -> Settled:
        """Score what has no answer yet. What fails stays without one, and may be tried again.

        Raises:
            SoftsellError: what `Runtime.charge` and `Runtime.score` raise.
        """
        live = held.conversation
        self.open.touch(held)
        self.open.check_room()
        # What is only final by now, or has other times, was scored with the same words before.
        if live.unscored:
            self.runtime.charge(caller, live.unscored)
            score = await self.runtime.score(live.request(), scope=caller.scope, goes_on=True)
        else:
            assert live.score is not None  # noqa: S101 - all is scored
            score = live.score
        settled = live.settle(score)
        self.open.touch(held)
        for change in settled.alerts:
            self.runtime.metrics.alerts.labels(change.alert.category, change.state.value).inc()
        if settled.alerts:
            self._tell(held, settled.alerts)
        return settled

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(_UPKEEP_EVERY_S)
            self.open.expire()

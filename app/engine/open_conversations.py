"""The live conversations that are open: by tenant and id, bounded in count and bytes, let go of when idle.

What is let go of under pressure is the one that was touched longest ago and that nobody uses just now. It
is remembered for a while that it was there, so that its caller is told to send it again instead of being
answered out of context.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b

from app.core.errors import Overloaded
from app.engine.limits import Limits
from app.engine.live import LiveConversation

# How many are remembered after they were let go of, some 100 bytes each.
_MOST_REMEMBERED = 100_000
_RETRY_S = 30


class Held:
    """A live conversation in its place; `lock` is for whoever takes turns in and scores them."""

    def __init__(self, tenant: str, id_: str, conversation: LiveConversation, now: float) -> None:
        self.tenant = tenant
        self.id = id_
        self.conversation = conversation
        self.lock = asyncio.Lock()
        self.touched = now
        self.users = 0
        # Whether it belongs to a socket's session, which alone may add to it.
        self.streamed = False
        self.nbytes = conversation.nbytes
        # Set when it is let go of: who still holds it must not go on with it.
        self.gone = False


class OpenConversations:
    """Belongs to one event loop; no two tenants see each other's."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        # The least recently touched first, in both.
        self._all: OrderedDict[tuple[str, str], Held] = OrderedDict()
        self._of_tenant: dict[str, OrderedDict[str, Held]] = {}
        self._let_go: OrderedDict[bytes, None] = OrderedDict()
        self._nbytes = 0

    def __len__(self) -> int:
        return len(self._all)

    @property
    def nbytes(self) -> int:
        """About how many bytes they take."""
        return self._nbytes

    def get(self, tenant: str, id_: str) -> Held | None:
        """A tenant's conversation, or `None` if it is not open, or was idle for too long."""
        held = self._all.get((tenant, id_))
        if held is not None and not held.users and self._is_idle(held):
            self.let_go(held)
            return None
        return held

    def was_let_go(self, tenant: str, id_: str) -> bool:
        """Whether it was open, not long ago, and was let go of or ended."""
        return _mark(tenant, id_) in self._let_go

    def open(self, conversation: LiveConversation, tenant: str, id_: str) -> Held:
        """Hold a new conversation, in place of one of the same id.

        Raises:
            Overloaded: if the tenant has too many, or all take too much, and every one is in use.
        """
        if old := self._all.get((tenant, id_)):
            self.let_go(old)
        mine = self._of_tenant.get(tenant, OrderedDict())
        if len(mine) >= self._limits.max_live_conversations:
            idle = next((held for held in mine.values() if not held.users), None)
            if idle is None:
                raise Overloaded(
                    f"{len(mine)} conversations are live, which is the most that one tenant may have; end some first",
                    retry_after_s=_RETRY_S,
                )
            self.let_go(idle)
        held = Held(tenant, id_, conversation, self._clock())
        self._all[tenant, id_] = held
        self._of_tenant.setdefault(tenant, OrderedDict())[id_] = held
        self._nbytes += held.nbytes
        self._let_go.pop(_mark(tenant, id_), None)
        return held

    @contextmanager
    def in_use(self, held: Held) -> Iterator[None]:
        """Keep a conversation from being let go of for being idle; afterwards it was just touched."""
        held.users += 1
        try:
            yield
        finally:
            held.users -= 1
            self.touch(held)

    def touch(self, held: Held) -> None:
        """Note that a conversation was used, and how large it has become."""
        if held.gone:
            return
        held.touched = self._clock()
        self._nbytes += held.conversation.nbytes - held.nbytes
        held.nbytes = held.conversation.nbytes
        self._all.move_to_end((held.tenant, held.id))
        self._of_tenant[held.tenant].move_to_end(held.id)
        self._shrink()

    def check_room(self) -> None:
        """Raise `Overloaded` if the conversations take too much and every one is in use."""
        self._shrink()
        if self._nbytes > self._limits.max_live_bytes:
            raise Overloaded("the live conversations take all the room there is; try again later", _RETRY_S)

    def let_go(self, held: Held) -> None:
        """Forget a conversation, and remember that it was there."""
        if held.gone:
            return
        held.gone = True
        del self._all[held.tenant, held.id]
        mine = self._of_tenant[held.tenant]
        del mine[held.id]
        if not mine:
            del self._of_tenant[held.tenant]
        self._nbytes -= held.nbytes
        self._let_go[_mark(held.tenant, held.id)] = None
        if len(self._let_go) > _MOST_REMEMBERED:
            self._let_go.popitem(last=False)

    def expire(self) -> int:
        """Let go of what was idle for too long; returns how many."""
        idle: list[Held] = []
        for held in self._all.values():
            if not self._is_idle(held):
                break
            if not held.users:
                idle.append(held)
        for held in idle:
            self.let_go(held)
        return len(idle)

    def _is_idle(self, held: Held) -> bool:
        return self._clock() - held.touched > self._limits.live_idle_s

    def _shrink(self) -> None:
        if self._nbytes <= self._limits.max_live_bytes:
            return
        for held in list(self._all.values()):
            if not held.users:
                self.let_go(held)
                if self._nbytes <= self._limits.max_live_bytes:
                    return


def _mark(tenant: str, id_: str) -> bytes:
    """What stands for a conversation that is no longer there; its id is not kept."""
    return blake2b(f"{len(tenant)}\0{tenant}{id_}".encode("utf-8", "surrogatepass"), digest_size=16).digest()

"""What a session has to tell, numbered, and kept until the client has acknowledged it."""

from __future__ import annotations

import asyncio
from collections import deque

from app.api.live.frames import ServerFrame, type_of
from app.engine.limits import Limits


class Outbox:
    """Frames as text, by consecutive numbers from 1; belongs to one event loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._frames: deque[tuple[str, str]] = deque()
        self._nbytes = 0
        self.acknowledged = 0
        # Set when there is something new to send, or room again; whoever waits clears it.
        self.news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    @property
    def last_seq(self) -> int:
        """The number of the newest frame; 0 if there was none."""
        return self.acknowledged + len(self._frames)

    @property
    def full(self) -> bool:
        """Whether nothing more should be added before some is acknowledged."""
        limits = self._limits
        return len(self._frames) >= limits.max_unacknowledged_frames or self._nbytes >= limits.max_unacknowledged_bytes

    def add(self, frame: ServerFrame) -> None:
        """Number a frame and keep it; to be sent by whoever waits for `news`."""
        frame.seq = self.last_seq + 1
        text = frame.model_dump_json()
        self._frames.append((type_of(type(frame)), text))
        self._nbytes += len(text)
        if self.full:
            self._room.clear()
        self.news.set()

    def get(self, seq: int) -> tuple[str, str] | None:
        """Type and text of the frame of a number that was not acknowledged; `None` if it is not there yet."""
        place = seq - self.acknowledged - 1
        return self._frames[place] if 0 <= place < len(self._frames) else None

    def acknowledge(self, seq: int) -> None:
        """Forget all frames up to a number."""
        while self._frames and self.acknowledged < seq:
            self._nbytes -= len(self._frames.popleft()[1])
            self.acknowledged += 1
        if not self.full:
            self._room.set()

    async def room(self) -> None:
        """Wait until it is not full."""
        await self._room.wait()

"""Scored prefixes of recent conversations, so that no turn is scored twice; bounded in bytes.

Whoever sends a conversation whole after each of its turns finds all but the last one here, and live
conversations live here too. What is dropped under pressure, the least recently used first, is computed
again when it is asked for: first what the engine remembers of an open window, then the whole prefix.
A prefix that is found is copied, so that callers never share what grows.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.classifier import Memory
from app.engine.prefix import ScoredPrefix


@dataclass(eq=False, slots=True)
class _Slot:
    """Where one conversation's prefix is kept while it grows."""

    prefix: ScoredPrefix
    nbytes: int


class PrefixCache:
    """At most `max_bytes` of prefixes, found by key; safe to use from several threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._by_key: dict[bytes, _Slot] = {}
        # Both least recently used first.
        self._slots: OrderedDict[int, _Slot] = OrderedDict()
        self._remembering: OrderedDict[int, _Slot] = OrderedDict()
        self._nbytes = 0

    @property
    def nbytes(self) -> int:
        """About how many bytes are in use."""
        return self._nbytes

    def longest(self, keys: Sequence[bytes]) -> ScoredPrefix:
        """A copy of the longest prefix that is known; `keys[i]` is that of the first i + 1 turns."""
        with self._lock:
            for turns in range(len(keys), 0, -1):
                if slot := self._by_key.get(keys[turns - 1]):
                    self._touch(slot)
                    return slot.prefix.upto(turns)
        return ScoredPrefix()

    def read_ahead(self, key: bytes, memory: Memory) -> None:
        """Keep the memory of what opens the window after a prefix, if that has not gone on meanwhile."""
        with self._lock:
            slot = self._by_key.get(key)
            if slot is not None and slot.prefix.steps[-1].key == key:
                slot.prefix.ahead = memory
                self._resize(slot)
                self._touch(slot)
                self._shrink()

    def put(self, prefix: ScoredPrefix) -> None:
        """Keep a prefix, which is the cache's own from here on.

        It takes the place of one that it continues, or whose last turn it says differently.
        """
        if not prefix.steps:
            return
        with self._lock:
            slot = self._continued(prefix) or self._new()
            self._replace(slot, prefix)
            self._shrink()

    def _continued(self, prefix: ScoredPrefix) -> _Slot | None:
        for turns in range(len(prefix.steps), 0, -1):
            if slot := self._by_key.get(prefix.steps[turns - 1].key):
                return slot if len(slot.prefix.steps) - turns <= 1 else None
        return None

    def _new(self) -> _Slot:
        slot = _Slot(ScoredPrefix(), 0)
        self._slots[id(slot)] = slot
        return slot

    def _replace(self, slot: _Slot, prefix: ScoredPrefix) -> None:
        old, new = slot.prefix.steps, prefix.steps
        common = min(len(old), len(new))
        while common and old[common - 1].key != new[common - 1].key:
            common -= 1
        for step in old[common:]:
            if self._by_key.get(step.key) is slot:
                del self._by_key[step.key]
        for step in new[common:]:
            self._by_key[step.key] = slot
        slot.prefix = prefix
        self._resize(slot)
        self._touch(slot)

    def _resize(self, slot: _Slot) -> None:
        nbytes = slot.prefix.nbytes
        self._nbytes += nbytes - slot.nbytes
        slot.nbytes = nbytes

    def _touch(self, slot: _Slot) -> None:
        self._slots.move_to_end(id(slot))
        self._remembering.pop(id(slot), None)
        if slot.prefix.memory is not None:
            self._remembering[id(slot)] = slot

    def _shrink(self) -> None:
        while self._nbytes > self._max_bytes and self._remembering:
            _, slot = self._remembering.popitem(last=False)
            slot.prefix.memory = slot.prefix.ahead = None
            self._resize(slot)
        while self._nbytes > self._max_bytes and self._slots:
            _, slot = self._slots.popitem(last=False)
            self._nbytes -= slot.nbytes
            for step in slot.prefix.steps:
                if self._by_key.get(step.key) is slot:
                    del self._by_key[step.key]

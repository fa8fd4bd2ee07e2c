"""How much a key may do in a minute: token buckets, in this process's memory.

Every process counts for itself, so behind several of them a key may do as many times more. A bucket
holds a minute's worth and fills evenly. A conversation of more turns than that passes when the bucket
is full; what follows waits until it is made up for.

Header fields are those of draft-ietf-httpapi-ratelimit-headers-10, as structured fields (RFC 9651).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from app.api.problems import RateLimited
from app.store.keys import KnownKey

WINDOW_S = 60


class Bucket:
    """Tokens for a minute, at most `limit` of them."""

    def __init__(self, limit: int, now: float) -> None:
        self.limit = limit
        self._tokens = float(limit)
        self._at = now

    def left(self, now: float) -> float:
        """Tokens that are there at a time; below zero while more were taken than there were."""
        self._tokens = min(self.limit, self._tokens + (now - self._at) * self.limit / WINDOW_S)
        self._at = now
        return self._tokens

    def take(self, wanted: int, now: float, needed: float) -> int:
        """Take tokens if `needed` are there; else say after how many seconds they will be. 0 if taken."""
        missing = needed - self.left(now)
        # What is missing after many small steps may be a rounding error.
        if missing > 1e-6:
            return max(1, math.ceil(missing * WINDOW_S / self.limit))
        self._tokens -= wanted
        return 0

    def full_in_s(self, now: float) -> int:
        """Seconds until a minute's worth is there."""
        return math.ceil((self.limit - self.left(now)) * WINDOW_S / self.limit)


class Rates:
    """The buckets of all keys that are limited and were used."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def take_request(self, key: KnownKey) -> None:
        """Count a request. Raises `RateLimited` if the key has none left, or owes turns."""
        if bucket := self._bucket(key, "turns"):
            self._take(bucket, "turns", 0, 0.0)
        if bucket := self._bucket(key, "requests"):
            self._take(bucket, "requests", 1, 1.0)

    def take_turns(self, key: KnownKey, turns: int) -> None:
        """Count turns before they are scored. Raises `RateLimited` if so many are not left.

        More than a minute's worth needs a whole minute's worth to be there.
        """
        if bucket := self._bucket(key, "turns"):
            self._take(bucket, "turns", turns, float(min(turns, bucket.limit)))

    def fields(self, key: KnownKey) -> list[tuple[bytes, bytes]]:
        """`RateLimit-Policy` and `RateLimit` as raw header fields; none for a key without limits."""
        now = self._clock()
        policies: list[str] = []
        states: list[str] = []
        for unit in ("requests", "turns"):
            if bucket := self._bucket(key, unit):
                # The draft's registry has requests, which need not be named, and no turns.
                named = "" if unit == "requests" else f';qu="{unit}"'
                policies.append(f'"{unit}";q={bucket.limit};w={WINDOW_S}{named}')
                left = max(0, math.floor(bucket.left(now) + 1e-6))
                states.append(f'"{unit}";r={left};t={bucket.full_in_s(now)}')
        if not policies:
            return []
        return [
            (b"ratelimit-policy", ", ".join(policies).encode("ascii")),
            (b"ratelimit", ", ".join(states).encode("ascii")),
        ]

    def forget_all_but(self, ids: set[str]) -> None:
        """Let go of the buckets of keys that are no longer valid."""
        for place in [place for place in self._buckets if place[0] not in ids]:
            del self._buckets[place]

    def _take(self, bucket: Bucket, unit: str, wanted: int, needed: float) -> None:
        if wait_s := bucket.take(wanted, self._clock(), needed):
            raise RateLimited(
                f"the key may use {bucket.limit} {unit} a minute; wait as long as Retry-After says", wait_s
            )

    def _bucket(self, key: KnownKey, unit: str) -> Bucket | None:
        limit = key.limits.requests_per_minute if unit == "requests" else key.limits.turns_per_minute
        if limit is None:
            return None
        bucket = self._buckets.get((key.id, unit))
        if bucket is None:
            bucket = self._buckets[key.id, unit] = Bucket(limit, self._clock())
        return bucket

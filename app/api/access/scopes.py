"""The one table from an address to the scope that its callers' keys need.

The first line that fits counts. What is in no line needs `admin`: an address that was forgotten here
is closed to most, and a test finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.store.keys import Scope

# Every scope: whoever has a key.
ANY = frozenset(Scope)
# No key at all.
OPEN: frozenset[Scope] = frozenset()
_READS = frozenset({"GET", "HEAD"})


class Line(NamedTuple):
    """A path, and with it all paths below; one of `scopes` is needed, or no key if it is empty."""

    path: str
    scopes: frozenset[Scope]
    methods: frozenset[str] | None = None

    def fits(self, method: str, path: str) -> bool:
        """Whether a request is meant."""
        below = path == self.path or path.startswith(f"{self.path}/")
        return below and (self.methods is None or method in self.methods)


TABLE: Sequence[Line] = (
    Line("/v1/score", frozenset({Scope.SCORE})),
    Line("/v1/stream", frozenset({Scope.SCORE})),
    Line("/v1/transcripts", frozenset({Scope.SCORE})),
    Line("/v1/batches", frozenset({Scope.BATCH})),
    Line("/v1/conversations", frozenset({Scope.READ}), _READS),
    # Turns of live conversations, and their end.
    Line("/v1/conversations", frozenset({Scope.SCORE}), frozenset({"POST"})),
    Line("/v1/export", frozenset({Scope.READ}), _READS),
    Line("/v1/webhooks", frozenset({Scope.ADMIN})),
    # What is the same for every tenant.
    Line("/v1/labels", ANY, _READS),
    Line("/v1/model", ANY, _READS),
    # It counts what all tenants do.
    Line("/metrics", frozenset({Scope.METRICS})),
    # Supervisors have no keys, and these tell nothing of any tenant.
    Line("/livez", OPEN),
    Line("/readyz", OPEN),
    Line("/docs", OPEN),
    Line("/redoc", OPEN),
    Line("/openapi.json", OPEN),
    Line("/v1/conversations", frozenset({Scope.SCORE}), frozenset({"POST"})),
    # Erasing, and whatever else changes what is stored.
    Line("/v1/conversations", frozenset({Scope.ADMIN})),
)
_FORGOTTEN = Line("", frozenset({Scope.ADMIN}))


def line_of(method: str, path: str) -> Line:
    """The line of a request; `_FORGOTTEN` if it is in none."""
    return next((line for line in TABLE if line.fits(method, path)), _FORGOTTEN)


def scopes_of(method: str, path: str) -> frozenset[Scope]:
    """The scopes of which a caller's key needs one; empty if no key is needed."""
    return line_of(method, path).scopes

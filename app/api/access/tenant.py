"""Whose request it is: what is stored belongs to a tenant, and no other one can see it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

# Whose everything is on a server that asks for no keys.
LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as `app.api.access.keys` found it; without a key on a server that asks for none."""

    tenant: str = LOCAL
    key_id: str | None = None

    @property
    def scope(self) -> str:
        """Within what scores may be remembered, and share a queue fairly: one key."""
        return self.tenant if self.key_id is None else f"{self.tenant}/{self.key_id}"


def caller_of(connection: HTTPConnection) -> Caller:
    """Who sent a request or opened a WebSocket."""
    found = getattr(connection.state, "caller", None)
    return found if isinstance(found, Caller) else Caller()


def tenant_of(connection: HTTPConnection) -> str:
    """The caller's tenant, or `LOCAL` where no keys are asked for."""
    return caller_of(connection).tenant


def scope_of(connection: HTTPConnection) -> str:
    """What `Runtime.score` wants to know: scores of one key are not found for another one."""
    return caller_of(connection).scope

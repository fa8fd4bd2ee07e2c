"""POST /v1/stream/tickets: what a browser opens a stream with, since it cannot send a key in a header.

The caller's own server asks for a ticket with its key and hands it to the page, which sends it as an
item of `Sec-WebSocket-Protocol`. A ticket opens one stream, within half a minute, on the process that
made it; so the key stays off the page, and nothing secret stands in a URL, which everybody logs.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from app.api import problems
from app.api.access.tenant import caller_of
from app.api.problems import RateLimited

TICKET_S = 30
PREFIX = "softsell.ticket."
# What a server answers a caller with who offers a ticket: browsers want one of their items back.
PROTOCOL = "softsell.v1"
_MOST_A_KEY = 64


class Tickets:
    """Tickets that were made and not yet used."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of_key: dict[str, dict[str, float]] = {}

    def issue(self, key_id: str) -> str:
        """A ticket for a key. Raises `RateLimited` if too many of its tickets wait."""
        now = self._clock()
        waiting = {ticket: ends for ticket, ends in self._of_key.get(key_id, {}).items() if ends > now}
        if len(waiting) >= _MOST_A_KEY:
            raise RateLimited(f"{_MOST_A_KEY} tickets of this key wait to be used; use them first", TICKET_S)
        # Its first part says whose it is, so that only tickets of that key are looked through.
        ticket = f"{PREFIX}{key_id}.{secrets.token_hex(32)}"
        self._of_key[key_id] = {**waiting, ticket: now + TICKET_S}
        return ticket

    def redeem(self, ticket: str) -> str | None:
        """The id of the key that a ticket was made for; None if it is none, was used or is too old."""
        key_id = ticket.removeprefix(PREFIX).partition(".")[0]
        ends = self._of_key.get(key_id, {}).pop(ticket, None)
        return key_id if ends is not None and self._clock() < ends else None


def ticket_of(offered: Sequence[str]) -> str | None:
    """The ticket among the items of `Sec-WebSocket-Protocol`."""
    return next((item for item in offered if item.startswith(PREFIX)), None)


class TicketAnswer(BaseModel):
    """What opens one stream."""

    ticket: str = Field(
        description=f"Offer it as a WebSocket subprotocol, after `{PROTOCOL}`: "
        f'`new WebSocket(url, ["{PROTOCOL}", ticket])`.'
    )
    expires_in_s: int = Field(description="Seconds within which the stream has to be opened.")


def router(tickets: Tickets) -> APIRouter:
    """The routes of this noun."""
    routes = APIRouter(tags=["stream"])

    @routes.post(
        "/v1/stream/tickets",
        operation_id="createStreamTicket",
        summary="Get a ticket that opens a stream",
        responses=problems.declared(500),
    )
    async def create(request: Request) -> TicketAnswer:
        """For callers that cannot send a key in a header, as browsers cannot: it opens one stream, once."""
        caller = caller_of(request)
        # Where no keys are asked for, whatever is offered opens a stream.
        ticket = tickets.issue(caller.key_id) if caller.key_id else f"{PREFIX}{secrets.token_hex(32)}"
        return TicketAnswer(ticket=ticket, expires_in_s=TICKET_S)

    return routes

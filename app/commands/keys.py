"""`softsell keys`: makes, lists, revokes and rotates what callers show to be let in."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.console import opened, say, stop

if TYPE_CHECKING:
    from app.store.keys import Keys, ListedKey, NewKey

commands = typer.Typer(name="keys", help="Look after the keys of callers; a server notices within seconds.")

Days = Annotated[int | None, typer.Option(min=1, max=36_500, help="Days until it ends.", show_default=False)]
_LENGTH_OF_ID = len("ssk_0123456789")


def _keys() -> AbstractContextManager[Keys]:
    """The keys of the environment's settings."""
    from app.build import keys_of

    return opened(keys_of)


def _print(new: NewKey) -> None:
    # The key alone on stdout, so that a script can take it from there.
    typer.echo(new.secret)
    say("this is the only time that the key is shown: only its hash is kept")


def _ends(days: int | None) -> datetime | None:
    return None if days is None else datetime.now(UTC) + timedelta(days=days)


def _id(given: str) -> str:
    """Whoever has a whole key before them, such as a leaked one, may give that."""
    return given[:_LENGTH_OF_ID]


@commands.command()
def create(
    name: Annotated[str, typer.Argument(help="Tells people whose key it is.")],
    tenant: Annotated[str, typer.Option(help="Whose data it reaches; tenants do not see each other's.")] = "local",
    scopes: Annotated[
        str, typer.Option(help="What it allows: score, batch, read, admin, metrics; several with commas.")
    ] = "score,read",
    requests_per_minute: Annotated[int | None, typer.Option(help="At most so many requests.")] = None,
    turns_per_minute: Annotated[int | None, typer.Option(help="At most so many turns to score.")] = None,
    max_body_bytes: Annotated[int | None, typer.Option(help="No larger bodies, except of batches.")] = None,
    expires_days: Days = None,
) -> None:
    """Make a key and print it, once."""
    from app.store.keys import KeyLimits, Scope

    names = [part.strip() for part in scopes.split(",") if part.strip()]
    if unknown := [part for part in names if part not in set(Scope)]:
        raise stop(f"--scopes: there is no scope {unknown[0]!r}; there are {', '.join(Scope)}")
    limits = KeyLimits(requests_per_minute, turns_per_minute, max_body_bytes)
    with _keys() as keys:
        _print(keys.create(name, tenant, [Scope(part) for part in names], limits, _ends(expires_days)))


@commands.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Of this tenant alone.", show_default=False)] = None,
) -> None:
    """List keys with their state and their use; of each, only what it begins with."""
    with _keys() as keys:
        found = keys.listed(tenant)
    if not found:
        say("there are no keys; make one with `softsell keys create NAME`")
    for listed in found:
        typer.echo(_line(listed))


@commands.command()
def revoke(key: Annotated[str, typer.Argument(help="What it begins with, as listed.")]) -> None:
    """End a key for good."""
    with _keys() as keys:
        keys.revoke(_id(key))
    typer.echo(f"{_id(key)} is revoked; servers stop taking it within seconds")


@commands.command()
def rotate(
    key: Annotated[str, typer.Argument(help="What it begins with, as listed.")],
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=8_760, help="For how long the old key still works.")
    ] = 24.0,
    expires_days: Days = None,
) -> None:
    """Make a key that follows another one, and print it, once."""
    with _keys() as keys:
        _print(keys.rotate(_id(key), timedelta(hours=overlap_hours), _ends(expires_days)))


def _line(listed: ListedKey) -> str:
    key, now = listed.key, datetime.now(UTC)
    state = "valid"
    if key.revoked_at is not None:
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
    elif key.expires_at is not None:
        state = f"{'until' if key.expires_at > now else 'ended'} {key.expires_at:%Y-%m-%d %H:%M}"
    limits = [
        f"{limit} {unit}"
        for limit, unit in (
            (key.requests_per_minute, "requests/min"),
            (key.turns_per_minute, "turns/min"),
            (key.max_body_bytes, "bytes a body"),
        )
        if limit is not None
    ]
    used = f"last used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
    parts = [
        key.id,
        key.tenant,
        key.name,
        ",".join(key.scopes),
        state,
        *([f"followed by {key.rotated_to}"] if key.rotated_to else []),
        *limits,
        f"{listed.requests} requests, {listed.turns} turns; today {listed.requests_today}, {listed.turns_today}",
        used,
    ]
    return "  ".join(parts)

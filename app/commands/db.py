"""`softsell db`: brings the store up to date, copies it, puts a copy back, deletes what has expired."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.console import opened, read_settings, say

if TYPE_CHECKING:
    from app.store.conversations import Conversations

commands = typer.Typer(name="db", help="Look after the store: SOFTSELL_DATABASE_URL, or softsell.db in data_dir.")


def _store() -> AbstractContextManager[Conversations]:
    """The store of the environment's settings."""
    from app.build import conversations_of

    return opened(conversations_of)


@commands.command()
def migrate() -> None:
    """Make the tables, or bring them up to date; the server does so by itself."""
    with _store() as store:
        store.database.open()
    typer.echo("the store is up to date")


@commands.command()
def backup(file: Annotated[Path, typer.Argument(help="Where to; a file that is there is replaced.")]) -> None:
    """Copy a SQLite store while it is used. For PostgreSQL, use pg_dump."""
    from app.store.backup import back_up

    with _store() as store:
        back_up(store.database, file)
    typer.echo(f"{file} is a whole copy of the store")


@commands.command()
def restore(file: Annotated[Path, typer.Argument(help="What `softsell db backup` wrote.")]) -> None:
    """Put a copy in the place of a SQLite store; what was erased since is erased again. For PostgreSQL: pg_restore."""
    from app.store.backup import restore as restore_copy

    with _store() as store:
        restored = restore_copy(store.database, file)
    typer.echo(f"the store is as it was in {file}; erased again: {restored.erased_again}")
    if not restored.erasures_known:
        say("the former store could not say what was erased after the copy was made; erase that again")


@commands.command()
def purge() -> None:
    """Delete conversations and batches that have expired, and what is left of deleted ones; the server does so, too."""
    from app.build import batches_of

    with _store() as store:
        batches = batches_of(read_settings(), store.database).purge()
        purged = store.purge()
    typer.echo(f"conversations deleted: {purged}, batches deleted: {len(batches)}")

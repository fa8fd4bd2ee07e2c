"""How commands speak: to stderr, without anything that steers a terminal, and with settings that explain themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import typer

if TYPE_CHECKING:
    from app.settings import Settings
    from app.store.database import Database

FAILED = 1


class Stored(Protocol):
    """A part of the store, with the database that it is in."""

    @property
    def database(self) -> Database:
        """Its database."""
        ...


T = TypeVar("T", bound=Stored)


def say(message: str) -> None:
    """Write a line to stderr."""
    from app.report import visible

    typer.echo(visible(message), err=True)


def stop(message: str) -> typer.Exit:
    """Say why, and give what ends the command when raised."""
    say(f"softsell: {message}")
    return typer.Exit(FAILED)


def read_settings(**given: Any) -> Settings:
    """The environment's settings; options that were given win. Raises `typer.Exit` with a reason if one is wrong."""
    from pydantic import ValidationError

    from app.settings import Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "__".join(str(part) for part in first["loc"]).upper()
        raise stop(f"SOFTSELL_{name} (or its option): {first['msg']}") from None


@contextmanager
def opened(make: Callable[[Settings], T]) -> Iterator[T]:
    """What `make` makes of the environment's settings; what is wrong with the store ends the command."""
    settings = read_settings()
    from app.core.errors import SoftsellError

    try:
        made = make(settings)
        try:
            yield made
        finally:
            made.database.close()
    except SoftsellError as error:
        raise stop(str(error)) from None

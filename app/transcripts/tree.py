"""A JSON value that knows its path, so that a reader asks for fields in one line each.

Where a document lacks a field or has another kind of value there, the error names the path, such
as `turns[3].role`. A path is made of the names that the reader asked for and of numbers, never of
what the document says, so that no message carries words of a transcript.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.errors import UnreadableTranscript

# The year 2286 in milliseconds since 1970: beyond any time in a transcript, and exact as a float.
_LATEST_MS = 10**13


@dataclass(frozen=True, slots=True)
class Node:
    """`value` at `path` of a document; an absent field has the value `None`, as null has."""

    value: Any
    path: str = ""

    def __getitem__(self, name: str) -> Node:
        """The field `name`. Raises `UnreadableTranscript` if this is no object."""
        if not isinstance(self.value, Mapping):
            raise self.error("must be an object")
        return Node(self.value.get(name), f"{self.path}.{name}" if self.path else name)

    def __iter__(self) -> Iterator[Node]:
        """The elements. Raises `UnreadableTranscript` if this is no list."""
        if not isinstance(self.value, list):
            raise self.error("must be a list")
        return (Node(value, f"{self.path}[{index}]") for index, value in enumerate(self.value))

    @property
    def pointer(self) -> str:
        """The path as a JSON pointer (RFC 6901), such as `/turns/3`."""
        steps = self.path.replace("[", ".").replace("]", "").split(".")
        return "".join(f"/{step}" for step in steps if step)

    def items(self) -> list[Node]:
        """The elements, and none where the field is absent. Raises `UnreadableTranscript` if it is no list."""
        return [] if self.value is None else list(self)

    def number(self) -> float | None:
        """A finite number or `None`; raises `UnreadableTranscript` otherwise."""
        if self.value is None:
            return None
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not math.isfinite(self.value):
            raise self.error("must be a finite number")
        return self.value

    def share(self) -> float | None:
        """A recogniser's confidence, 0 to 1; `None` where there is none or it is on no such scale."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            return None
        return float(value)

    def label(self) -> str | None:
        """A text or a whole number as the label of a speaker or an id; raises `UnreadableTranscript` otherwise."""
        if isinstance(self.value, int) and not isinstance(self.value, bool) and abs(self.value) < 1 << 63:
            return str(self.value)
        return self.optional_text()

    def error(self, demand: str) -> UnreadableTranscript:
        """The error that this value does not meet `demand`, to be raised."""
        return UnreadableTranscript(f"`{self.path}` {demand}" if self.path else f"the document {demand}")

    def text(self) -> str:
        """A string; raises `UnreadableTranscript` otherwise, also for half of a surrogate pair."""
        if not isinstance(self.value, str):
            raise self.error("must be a text")
        if not self.value.isascii() and any("\ud800" <= character <= "\udfff" for character in self.value):
            raise self.error("holds half of a surrogate pair; write whole characters")
        return self.value

    def optional_text(self) -> str | None:
        """A string or `None`; raises `UnreadableTranscript` otherwise."""
        return None if self.value is None else self.text()

    def choice(self, allowed: Sequence[str]) -> str:
        """One of `allowed`; raises `UnreadableTranscript` otherwise."""
        if not isinstance(self.value, str) or self.value not in allowed:
            raise self.error(f"must be one of {', '.join(allowed)}")
        return self.value

    def milliseconds(self, unit_ms: float = 1) -> int | None:
        """A time of `unit_ms` milliseconds a unit (1000 for seconds), as whole milliseconds, or `None`."""
        if self.value is None:
            return None
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self.error("must be a number")
        if not math.isfinite(self.value) or not 0 <= self.value * unit_ms <= _LATEST_MS:
            raise self.error("must be a time of zero or more, before the year 2286")
        return round(self.value * unit_ms)

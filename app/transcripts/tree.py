"""A JSON value that knows its path, so that a reader asks for fields in one line each.

Where a document lacks a field or has another kind of value there, the error names the path, such
as `turns[3].role`. A path is made of the names that the reader asked for and of numbers, never of
what the document says, so that no message carries words of a transcript.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from app.core.errors import UnreadableTranscript

# The year 2286 in milliseconds since 1970: beyond any time in a transcript, and exact as a float.
LATEST_MS = 10**13
_LARGEST = 1e300
# A time below this is one in every unit that there is.
_USUAL = 1e6
Chosen = TypeVar("Chosen")

NUMBERS = (int, float)
"""The types of JSON's numbers; a truth value is none, though `bool` is an `int` to `isinstance`."""


def is_whole(text: str) -> bool:
    """Whether a text has no half of a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def share_of(value: Any) -> float | None:
    """A recogniser's confidence, 0 to 1, also as a text; `None` where there is none or it is on no such scale."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return float(value) if type(value) in NUMBERS and 0 <= value <= 1 else None


def _is_small(number: float) -> bool:
    """Whether a number is finite and of a size that floats hold; JSON knows integers of any length."""
    return -_LARGEST <= number <= _LARGEST


class Node:
    """`value` at `path` of a document; an absent field has the value `None`, as null has.

    A document has many times more nodes than errors, so a path is put together only when asked for, and
    the pointer of a list is kept for its elements.
    """

    __slots__ = ("_parent", "_place", "_step", "value")

    def __init__(self, value: Any, step: str | int = "", parent: Node | None = None) -> None:
        """A root at the path `step`, or the field or element `step` of `parent`."""
        self.value = value
        self._step = step
        self._parent = parent
        self._place: str | None = None

    def __getitem__(self, name: str) -> Node:
        """The field `name`. Raises `UnreadableTranscript` if this is no object."""
        if not isinstance(self.value, dict):
            raise self.error("must be an object")
        return Node(self.value.get(name), name, self)

    def __iter__(self) -> Iterator[Node]:
        """The elements. Raises `UnreadableTranscript` if this is no list."""
        if not isinstance(self.value, list):
            raise self.error("must be a list")
        return (Node(value, index, self) for index, value in enumerate(self.value))

    def holding(self, value: Any) -> Node:
        """The same place with another value, such as what its text spells."""
        return Node(value, self._step, self._parent)

    @property
    def steps(self) -> list[str | int]:
        """The names and indices that lead here."""
        found: list[str | int] = []
        node: Node | None = self
        while node is not None:
            if node._step != "":
                found.append(node._step)
            node = node._parent
        return found[::-1]

    @property
    def path(self) -> str:
        """Where this is, as a reader of errors wants it, such as `turns[3].role`."""
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.steps).removeprefix(".")

    @property
    def pointer(self) -> str:
        """The path as a JSON pointer (RFC 6901), such as `/turns/3`."""
        if self._place is None:
            place = "" if self._parent is None else self._parent.pointer
            step = self._step
            if isinstance(step, int):
                self._place = f"{place}/{step}"
            else:
                self._place = place + (f"/{step.replace('~', '~0').replace('/', '~1')}" if step else "")
        return self._place

    def items(self) -> list[Node]:
        """The elements, and none where the field is absent. Raises `UnreadableTranscript` if it is no list."""
        return [] if self.value is None else list(self)

    def number(self) -> float | None:
        """A finite number or `None`; raises `UnreadableTranscript` otherwise."""
        if self.value is None:
            return None
        if type(self.value) not in NUMBERS or not _is_small(self.value):
            raise self.error("must be a finite number")
        number: float = self.value
        return number

    def share(self) -> float | None:
        """A recogniser's confidence; see `share_of`."""
        return share_of(self.value)

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
        if not is_whole(self.value):
            raise self.error("holds half of a surrogate pair; write whole characters")
        return self.value

    def optional_text(self) -> str | None:
        """A string or `None`; raises `UnreadableTranscript` otherwise."""
        return None if self.value is None else self.text()

    def choice(self, allowed: Mapping[str, Chosen]) -> Chosen:
        """What one of the names in `allowed` stands for; raises `UnreadableTranscript` otherwise."""
        if not isinstance(self.value, str) or self.value not in allowed:
            raise self.error(f"must be one of {', '.join(allowed)}")
        return allowed[self.value]

    def milliseconds(self, unit_ms: float = 1) -> int | None:
        """A time of `unit_ms` milliseconds a unit (1000 for seconds), as whole milliseconds, or `None`."""
        if self.value is None:
            return None
        if type(self.value) not in NUMBERS:
            raise self.error("must be a number")
        time: float = self.value
        if not _is_small(time) or not 0 <= time * unit_ms <= LATEST_MS:
            raise self.error("must be a time of zero or more, before the year 2286")
        return round(time * unit_ms)

    # Every turn asks for these: each is what the field's own node says, which is made only in the unusual case.

    def text_at(self, name: str) -> str | None:
        """`self[name].optional_text()`."""
        if type(self.value) is dict:
            value = self.value.get(name)
            if value is None or (type(value) is str and value.isascii()):
                return value
        return self[name].optional_text()

    def label_at(self, name: str) -> str | None:
        """`self[name].label()`."""
        if type(self.value) is dict:
            value = self.value.get(name)
            if value is None or (type(value) is str and value.isascii()):
                return value
        return self[name].label()

    def milliseconds_at(self, name: str, unit_ms: float = 1) -> int | None:
        """`self[name].milliseconds(unit_ms)`."""
        if type(self.value) is dict:
            value = self.value.get(name)
            if value is None:
                return None
            if type(value) in NUMBERS and 0 <= value < _USUAL:
                time: float = value
                return round(time * unit_ms)
        return self[name].milliseconds(unit_ms)

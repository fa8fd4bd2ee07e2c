"""Fields of JSON objects as readers ask for them, nearly all of which a reader can do without."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from app.transcripts.tree import LATEST_MS, NUMBERS, Node, is_whole, share_of

_LARGEST = 1 << 63


def has(value: Any, name: str) -> bool:
    """Whether a JSON value is an object with a field of this name."""
    return isinstance(value, dict) and name in value


def inside(node: Node, *path: str) -> Node:
    """What stands at a path of fields; a value of `None` where nothing does."""
    for name in path:
        node = node[name] if isinstance(node.value, dict) else Node(None, name, node)
    return node


def _label(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip() or None if is_whole(value) else None
    if type(value) is int and -_LARGEST < value < _LARGEST:
        return str(value)
    return None


def label(node: Node, *path: str) -> str | None:
    """A text or a whole number at a path of fields; `None` where there is no such thing."""
    value = node.value
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    # The usual cases at once: every turn has some.
    if value is None:
        return None
    return value.strip() or None if type(value) is str and value.isascii() else _label(value)


def labels(node: Node, *path: str) -> tuple[str, ...]:
    """The texts and whole numbers at a path of fields, through any list on the way, each once."""
    values = [node.value]
    for name in path:
        values = [value.get(name) for value in _flat(values) if isinstance(value, dict)]
    return once(map(_label, _flat(values)))


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from value
        else:
            yield value


def objects(node: Node, *path: str) -> list[Node]:
    """The objects of a list at a path of fields."""
    found = inside(node, *path)
    return [item for item in found if isinstance(item.value, dict)] if isinstance(found.value, list) else []


def words(node: Node, *names: str) -> str | None:
    """The first of the fields that holds more than spaces; raises `UnreadableTranscript` for what is no text."""
    if not isinstance(node.value, dict):
        raise node.error("must be an object")
    for name in names:
        value = node.value.get(name)
        if value is None:
            continue
        text: str = value if type(value) is str and value.isascii() else node[name].text()
        if text and not text.isspace():
            return text
    return None


def time_ms(node: Node, name: str, unit_ms: float = 1) -> int | None:
    """A time of `unit_ms` milliseconds a unit, also one that is spelled as a text, as long numbers often are.

    Raises `UnreadableTranscript` for anything else, and returns `None` where there is nothing.
    """
    if not isinstance(node.value, dict):
        raise node.error("must be an object")
    value = node.value.get(name)
    if value is None:
        return None
    if isinstance(value, str) and len(value) < 25 and value.isascii() and value.replace(".", "", 1).isdigit():
        value = float(value)
    # Compared before it is multiplied: a product with a very long number has no value as a float.
    if type(value) in NUMBERS and 0 <= value < _LARGEST:
        milliseconds = value * unit_ms
        if milliseconds <= LATEST_MS:
            return round(milliseconds)
    raise node[name].error("must be a time of zero or more, before the year 2286")


def mean_share(values: Iterable[Any]) -> float | None:
    """The mean of words' confidences, to four places; `None` where no word has one."""
    shares = [share for value in values if (share := share_of(value)) is not None]
    return round(sum(shares) / len(shares), 4) if shares else None


def once(texts: Iterable[str | None]) -> tuple[str, ...]:
    """Each text once, in the order of the first time."""
    return tuple(dict.fromkeys(text for text in texts if text))


def stated(**values: str | None) -> dict[str, str]:
    """Those of the values that there are."""
    return {name: value for name, value in values.items() if value}

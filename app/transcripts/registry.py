"""Finds the reader of a document by what is in it, never by a file's name, and reads it.

Every module of `formats/` is a format; see `reader.py` for how to add one. A document is tried in
this order: formats with marks of their own, one JSON value, one JSON value a line, shapes that
several systems write, and at last plain text.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from app.core.conversation import Conversation
from app.core.errors import UnreadableTranscript
from app.transcripts import formats
from app.transcripts.document import NO_JSON, Document, parse_json
from app.transcripts.reader import Entry, JsonReader, Rank, Reader
from app.transcripts.tree import Node

AUTO = "auto"
# A conversation in a call's record in an answer's page: no real export nests deeper.
_DEEPEST_LIST = 3
AnyReader = TypeVar("AnyReader", Reader, JsonReader)


@cache
def _modules() -> tuple[Reader | JsonReader, ...]:
    names = [f"{formats.__name__}.{module.name}" for module in pkgutil.iter_modules(formats.__path__)]
    return tuple(reader for name in names for reader in _readers_of(importlib.import_module(name)))


def _readers_of(module: Any) -> Iterable[Reader | JsonReader]:
    """A system that writes documents and streams alike has a reader for each."""
    return module.READERS if hasattr(module, "READERS") else [module.READER]


def _ranked(found: Iterable[AnyReader]) -> tuple[AnyReader, ...]:
    return tuple(sorted(found, key=lambda reader: (-reader.rank, reader.name)))


@cache
def readers() -> tuple[Reader, ...]:
    """The readers of documents that are no JSON, the highest rank first and by name within a rank."""
    return _ranked(reader for reader in _modules() if isinstance(reader, Reader))


@cache
def json_readers() -> tuple[JsonReader, ...]:
    """The readers of JSON values, in the same order."""
    return _ranked(reader for reader in _modules() if isinstance(reader, JsonReader))


def format_names() -> list[str]:
    """The names of all formats."""
    return sorted({reader.name for reader in _modules()})


def format_choices() -> list[str]:
    """What a caller may ask for: `AUTO`, or a format by name."""
    return [AUTO, *format_names()]


def json_reader_of(value: Any, least: Rank = Rank.FALLBACK) -> JsonReader | None:
    """The first reader of at least a rank that recognises a JSON value."""
    return next((reader for reader in json_readers() if reader.rank >= least and reader.recognises(value)), None)


def _named(entries: Iterable[Entry], name: str) -> Iterator[Entry]:
    """Entries with their format; one without a turn is an error."""
    for entry in entries:
        outcome = entry.outcome
        if isinstance(outcome, Conversation) and not outcome.turns:
            error = UnreadableTranscript(f"a {name} document without a single turn that has words; nothing to read")
            yield replace(entry, outcome=error, format=entry.format or name)
        else:
            yield entry if entry.format else replace(entry, format=name)


def read_value(node: Node, only: str = AUTO, depth: int = 0) -> Iterator[Entry]:
    """The conversations of a JSON value: one that a reader knows, or a list of such.

    Raises:
        UnreadableTranscript: if no reader knows it.
    """
    reader = (
        json_reader_of(node.value)
        if only == AUTO
        else next((item for item in json_readers() if item.name == only), None)
    )
    if reader and (only == AUTO or reader.recognises(node.value)):
        yield from _named(reader.read(node), reader.name)
    elif isinstance(node.value, list) and node.value and depth < _DEEPEST_LIST:
        for inner in node:
            try:
                yield from read_value(inner, only, depth + 1)
            except UnreadableTranscript as error:
                yield Entry(error)
    else:
        raise node.error("is of no known transcript format")


def _json_lines(document: Document, only: str) -> Iterator[Entry]:
    """One JSON value on each line (JSON Lines); a broken line is an error of its own."""
    for number, line in document.each_line():
        try:
            if isinstance(line, UnreadableTranscript):
                raise line
            if not line.strip():
                continue
            for entry in read_value(Node(_parsed_line(line, number)), only):
                outcome = entry.outcome
                if isinstance(outcome, UnreadableTranscript):
                    outcome = UnreadableTranscript(f"line {number}: {outcome}")
                yield replace(entry, outcome=outcome, line=number)
        except UnreadableTranscript as error:
            message = str(error)
            named = message if message.startswith("line ") else f"line {number}: {message}"
            yield Entry(UnreadableTranscript(named), number)


def _parsed_line(line: bytes, number: int) -> Any:
    try:
        return parse_json(line)
    except ValueError:
        # `from None`: the parser's error holds the line.
        raise UnreadableTranscript(f"line {number}: not valid JSON; write one conversation on one line") from None


def _recognised(reader: Reader, document: Document) -> bool:
    try:
        return reader.recognises(document)
    except UnreadableTranscript:
        return False


def _unknown(document: Document) -> UnreadableTranscript:
    try:
        text = document.text
        if document.begins_like_json:
            parse_json(text)
    except UnreadableTranscript as error:
        return error
    except json.JSONDecodeError as error:
        return UnreadableTranscript(f"line {error.lineno}, column {error.colno}: not valid JSON; mend it there")
    except ValueError:
        return UnreadableTranscript("line 1: JSON that is nested too deeply, or has a number that is too long")
    return UnreadableTranscript(
        "line 1: of no known transcript format; open each turn with who speaks, such as `Agent:` or `Customer:`, "
        "or send JSON with `turns`"
    )


def _entries(document: Document, only: str) -> Iterator[Entry]:
    if not document.first_bytes or (document.is_whole and not document.head.strip("\ufeff \t\r\n\f\v")):
        raise UnreadableTranscript("line 1: the document is empty; send one with at least one turn")
    chosen = [reader for reader in readers() if only in (AUTO, reader.name)]
    for reader in chosen:
        if reader.rank is Rank.SPECIFIC and _recognised(reader, document):
            return _named(reader.read(document), reader.name)
    # A list of things that are no conversations is no JSON document of ours, but perhaps another format's.
    if document.json is not NO_JSON:
        return read_value(Node(document.json), only)
    if document.is_json_lines:
        return _json_lines(document, only)
    for reader in chosen:
        if reader.rank is not Rank.SPECIFIC and _recognised(reader, document):
            return _named(reader.read(document), reader.name)
    raise _unknown(document)


def read(document: Document, only: str = AUTO) -> Iterator[Entry]:
    """The conversations of a document, each with its line where it has one; speakers keep what the source says.

    Args:
        document: what was sent.
        only: the name of a format, where the caller knows it; no other is tried then.

    Never raises on any bytes: what cannot be read is an entry that holds `UnreadableTranscript`.
    """
    try:
        yield from _entries(document, only)
    except UnreadableTranscript as error:
        yield Entry(error)

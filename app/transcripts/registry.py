"""Finds the reader of a document by what is in it, never by a file's name, and reads it.

Every module of `formats/` is a format; see `reader.py` for how to add one.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from functools import cache

from app.core.errors import UnreadableTranscript
from app.transcripts import formats
from app.transcripts.document import Document, parse_json
from app.transcripts.reader import Entry, Reader


@cache
def readers() -> tuple[Reader, ...]:
    """All readers, the highest rank first and by name within a rank."""
    modules = [
        importlib.import_module(f"{formats.__name__}.{module.name}")
        for module in pkgutil.iter_modules(formats.__path__)
    ]
    found: list[Reader] = [module.READER for module in modules]
    return tuple(sorted(found, key=lambda reader: (-reader.rank, reader.name)))


def _unknown(document: Document) -> UnreadableTranscript:
    if document.begins_like_json:
        try:
            parse_json(document.text)
        except json.JSONDecodeError as error:
            # One object after another is JSON Lines, of which each may well be valid.
            if not document.text.startswith("{", error.pos):
                return UnreadableTranscript(f"line {error.lineno}, column {error.colno}: not valid JSON; mend it there")
        except ValueError:
            return UnreadableTranscript("line 1: JSON that is nested too deeply, or has a number that is too long")
    known = ", ".join(reader.name for reader in readers())
    return UnreadableTranscript(
        "line 1: of no known transcript format; open each turn with who speaks, such as `Agent:` or `Customer:`, "
        f"or send JSON with `turns` (known: {known})"
    )


def reader_of(document: Document) -> Reader:
    """The first reader that recognises a document. Raises `UnreadableTranscript` if none does."""
    for reader in readers():
        if reader.recognises(document):
            return reader
    raise _unknown(document)


def read(content: bytes) -> Iterator[Entry]:
    """The conversations of a document, each with its line where it has one.

    Never raises on any bytes: what cannot be read is an entry that holds `UnreadableTranscript`.
    """
    try:
        document = Document.of(content)
        yield from reader_of(document).read(document)
    except UnreadableTranscript as error:
        yield Entry(error)

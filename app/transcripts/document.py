"""A transcript document as every reader gets it: decoded once, parsed as JSON at most once.

Decides what bytes may be a document at all: UTF-8, with or without a byte order mark, and not
empty. Whatever breaks this is refused here, so that no reader meets it.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from app.core.errors import UnreadableTranscript

# Only what editors and programs write as an end of line: JSON strings may hold U+2028 and its like.
_LINE_END = re.compile(r"\r\n|\n|\r")
_OTHER_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _NoJson:
    """Stands for "this is not JSON", which `None` cannot, being JSON's null."""


NO_JSON: Final = _NoJson()


def parse_json(text: str) -> Any:
    """The value that `text` spells. NaN is let by, since programs write it; no reader takes it for a number.

    Raises:
        ValueError: if it spells none, or one nested too deeply; `json.JSONDecodeError` where the
            place is known.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


@dataclass(frozen=True)
class Document:
    """The text of a document, without byte order mark.

    `lines` are without their ends; line 1 of the document is `lines[0]`. `json` is the parsed value,
    or `NO_JSON`.
    """

    text: str
    lines: Sequence[str] = field(repr=False)

    @classmethod
    def of(cls, content: bytes) -> Document:
        """Decode a document.

        Raises:
            UnreadableTranscript: if it is empty or not UTF-8.
        """
        if content.startswith(_OTHER_MARKS):
            raise UnreadableTranscript("line 1: the document is UTF-16 or UTF-32; save it as UTF-8")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = len(_LINE_END.findall(content[: error.start].decode("utf-8", "replace"))) + 1
            # `from None`: the decoder's message quotes the byte it stopped at.
            raise UnreadableTranscript(f"line {line}: the document is not UTF-8; save it as UTF-8") from None
        if not text.strip():
            raise UnreadableTranscript("line 1: the document is empty; send one with at least one turn")
        return cls(text, tuple(_LINE_END.split(text)))

    @cached_property
    def json(self) -> Any:
        """The document as JSON, or `NO_JSON` where it is not."""
        try:
            return parse_json(self.text) if self.begins_like_json else NO_JSON
        except ValueError:
            return NO_JSON

    @property
    def begins_like_json(self) -> bool:
        """Whether the first visible character opens an object or a list."""
        return self.text.lstrip()[:1] in ("{", "[")

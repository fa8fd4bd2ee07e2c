"""A transcript document as every reader gets it: opened once, decoded and parsed as JSON at most once.

A document is looked at by its first bytes, read whole where it is one conversation, and line by
line where it holds one record a line, so that a file larger than memory can be read. Text is UTF-8,
or UTF-16 or UTF-32 with a byte order mark.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Final

from app.core.errors import UnreadableTranscript

HEAD_BYTES = 1 << 16
# What is read whole: a document of one conversation, and one line of a document of many.
WHOLE_BYTES = 1 << 28
LINE_BYTES = 1 << 26
# Only what editors and programs write as an end of line: JSON strings may hold U+2028 and its like.
_LINE_END = re.compile(r"\r\n|\n|\r")
# The longer marks first: UTF-32's begins like UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class _NoJson:
    """Stands for "this is not JSON", which `None` cannot, being JSON's null."""


NO_JSON: Final = _NoJson()


def parse_json(text: str | bytes) -> Any:
    """The value that `text` spells. NaN is let by, since programs write it; no reader takes it for a number.

    Raises:
        ValueError: if it spells none, or one nested too deeply; `json.JSONDecodeError` where the
            place is known.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


class Document:
    """Bytes that may be a transcript.

    `head` is the beginning of its text, with a replacement character where it cannot be decoded;
    `text`, `lines` and `json` are of the whole, and line 1 is `lines[0]`. `found` is what a reader made
    of it while it looked whether it is one of its own, by the reader's name, so that no work is done twice.
    """

    def __init__(self, source: BinaryIO) -> None:
        """Take a seekable binary file; whoever opened it closes it."""
        self._source = source
        self.found: dict[str, Any] = {}
        self.size_bytes = source.seek(0, io.SEEK_END)
        source.seek(0)
        self.first_bytes = source.read(HEAD_BYTES)
        self.encoding = next((name for mark, name in _MARKS if self.first_bytes.startswith(mark)), "utf-8")
        decoder = codecs.getincrementaldecoder(self.encoding)("replace")
        self.head: str = decoder.decode(self.first_bytes, final=self.size_bytes <= HEAD_BYTES)

    @classmethod
    def of(cls, content: bytes) -> Document:
        """A document that is in memory."""
        return cls(io.BytesIO(content))

    @classmethod
    def open(cls, path: Path) -> Document:
        """A file; it is closed when nobody holds the document any more. Raises `OSError`."""
        return cls(path.open("rb"))

    @property
    def is_whole(self) -> bool:
        """Whether `head` is all there is."""
        return self.size_bytes <= HEAD_BYTES

    def rewound(self) -> BinaryIO:
        """The bytes from the beginning, for a reader of a binary format."""
        self._source.seek(0)
        return self._source

    @cached_property
    def text(self) -> str:
        """The whole text, without byte order mark.

        Raises:
            UnreadableTranscript: if it is not text, or too large to be read at once.
        """
        if self.size_bytes > WHOLE_BYTES:
            raise UnreadableTranscript(
                f"the document is larger than {WHOLE_BYTES >> 20} MiB; split it, or write one conversation a line"
            )
        content = self.rewound().read()
        try:
            return content.decode(self.encoding)
        except UnicodeDecodeError as error:
            line = len(_LINE_END.findall(content[: error.start].decode(self.encoding, "replace"))) + 1
            named = "UTF-8" if self.encoding.startswith("utf-8") else self.encoding.upper()
            # `from None`: the decoder's message quotes the byte it stopped at.
            raise UnreadableTranscript(f"line {line}: the document is not {named}; save it as UTF-8") from None

    @cached_property
    def lines(self) -> Sequence[str]:
        """All lines, without their ends. Raises `UnreadableTranscript` as `text` does."""
        return tuple(_LINE_END.split(self.text) if "\r" in self.text else self.text.split("\n"))

    @property
    def head_lines(self) -> Sequence[str]:
        """The lines of `head`; the last one is cut where the document goes on."""
        return _LINE_END.split(self.head)

    def each_line(self) -> Iterator[tuple[int, bytes | UnreadableTranscript]]:
        """Each line with its number, from 1, as undecoded bytes without its end, holding one in memory at a time.

        A line longer than `LINE_BYTES` is an error in its place.
        """
        source, number = self.rewound(), 0
        if self.encoding in ("utf-16", "utf-32"):
            yield from ((index, line.encode("utf-8", "surrogatepass")) for index, line in enumerate(self.lines, 1))
            return
        while line := source.readline(LINE_BYTES):
            number += 1
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if len(line) == LINE_BYTES and not line.endswith(b"\n"):
                while (rest := source.readline(LINE_BYTES)) and not rest.endswith(b"\n"):
                    pass
                yield number, UnreadableTranscript(f"line {number}: longer than {LINE_BYTES >> 20} MiB; split it")
            else:
                yield number, line.rstrip(b"\r\n")

    @cached_property
    def json(self) -> Any:
        """The document as one JSON value, or `NO_JSON` where it is not one."""
        if not self.begins_like_json or self.is_json_lines:
            return NO_JSON
        try:
            return parse_json(self.text)
        except (ValueError, UnreadableTranscript):
            return NO_JSON

    @property
    def begins_like_json(self) -> bool:
        """Whether the first visible character opens an object or a list."""
        return self.head.lstrip()[:1] in ("{", "[")

    @cached_property
    def is_json_lines(self) -> bool:
        """Whether one of the first lines is a JSON object of its own, with another line after or before it."""
        if not self.head.lstrip().startswith("{"):
            return False
        seen = 0
        for _, line in self.each_line():
            if isinstance(line, UnreadableTranscript):
                return True
            if not line.strip():
                continue
            seen += 1
            # A document of one line is parsed by `json`, once.
            if line.startswith(b"{") and line.rstrip().endswith(b"}") and (seen > 1 or self._has_more()):
                try:
                    parsed = parse_json(line)
                except ValueError:
                    parsed = None
                if isinstance(parsed, dict):
                    return True
            if seen >= 3:
                return False
        return False

    def _has_more(self) -> bool:
        """Whether anything visible follows the line on which the source stands."""
        position = self._source.tell()
        found = bool(self._source.read(1 << 12).strip())
        self._source.seek(position)
        return found

"""Messages as they came, one a line (JSON Lines), where several make one conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from app.core.errors import UnreadableTranscript
from app.transcripts.document import Document, parse_json
from app.transcripts.reader import Entry, LeftOut, Reader
from app.transcripts.tree import Node

# A stream opens with messages about itself before it holds words.
FIRST_LINES = 20

Message = tuple[str, Node]
"""Where a message stands, and the message."""


def messages_of(root: Node) -> list[Message]:
    """A list of messages, or one."""
    return [(node.pointer, node) for node in (root if isinstance(root.value, list) else [root])]


def line_values(document: Document) -> Iterator[tuple[int, Any]]:
    """The number and the value of each line that is not blank; the value of a broken one is an error."""
    for number, line in document.each_line():
        if isinstance(line, UnreadableTranscript):
            yield number, line
        elif line.strip():
            try:
                yield number, parse_json(line)
            except ValueError:
                # Not the parser's own error, which holds the line.
                yield number, UnreadableTranscript(f"line {number}: not valid JSON; write one message on one line")


def lines_reader(
    name: str, title: str, is_message: Callable[[Any], bool], entry: Callable[[Iterable[Message]], Entry]
) -> Reader:
    """The reader of a stream's lines, of which one of the first must be a message with words.

    `entry` makes the conversation and may raise `UnreadableTranscript`. A line that is broken, as the
    last one of a recording that was cut, is left out.
    """

    def recognises(document: Document) -> bool:
        values = islice(line_values(document), FIRST_LINES)
        return document.is_json_lines and any(is_message(value) for _, value in values)

    def read(document: Document) -> Iterator[Entry]:
        messages: list[Message] = []
        broken: list[LeftOut] = []
        for number, value in line_values(document):
            where = f"line {number}"
            if isinstance(value, dict):
                messages.append((where, Node(value, where)))
            else:
                broken.append(LeftOut(where, "no JSON object"))
        found = entry(messages)
        yield Entry(found.outcome, left_out=(*found.left_out, *broken))

    return Reader(name, title, recognises, read)

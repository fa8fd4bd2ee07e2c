"""One conversation in softsell's own JSON on each line (JSON Lines); blank lines are left out.

A broken line is an error of its own, and the other lines are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.core.errors import UnreadableTranscript
from app.transcripts.document import NO_JSON, Document, parse_json
from app.transcripts.formats.softsell_json import conversation_of, is_conversation
from app.transcripts.reader import Entry, Rank, Reader


def _parsed(line: str) -> Any:
    try:
        return parse_json(line)
    except ValueError:
        return NO_JSON


def _recognises(document: Document) -> bool:
    # The lines of an indented conversation are JSON here and there too, but none holds `turns` whole.
    return document.json is NO_JSON and any(
        is_conversation(_parsed(line)) for line in document.lines if line.startswith("{")
    )


def _read(document: Document) -> Iterator[Entry]:
    for number, line in enumerate(document.lines, 1):
        if not line.strip():
            continue
        value = _parsed(line)
        try:
            if value is NO_JSON:
                raise UnreadableTranscript("not valid JSON; write one conversation on one line")
            if not is_conversation(value):
                raise UnreadableTranscript("holds no `turns`; write one conversation on one line")
            yield Entry(conversation_of(value), number)
        except UnreadableTranscript as error:
            yield Entry(UnreadableTranscript(f"line {number}: {error}"), number)


READER = Reader("softsell JSON Lines", _recognises, _read, Rank.GENERIC)

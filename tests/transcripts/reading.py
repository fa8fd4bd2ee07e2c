"""Reading samples and values in tests of readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from app.core.conversation import Conversation
from app.transcripts.document import Document
from app.transcripts.reader import Entry
from app.transcripts.registry import read, read_value
from app.transcripts.tree import Node


def entries(sample: Path) -> list[Entry]:
    """What a file holds."""
    return list(read(Document.of(sample.read_bytes())))


def entries_of(value: Any) -> list[Entry]:
    """What a JSON value holds when it is sent as a document."""
    return list(read(Document.of(json.dumps(value).encode())))


def conversation(entry: Entry) -> Conversation:
    """The conversation of an entry that is no error."""
    assert isinstance(entry.outcome, Conversation), entry.outcome
    return entry.outcome


def conversation_of(value: Any) -> Conversation:
    """The one conversation of a JSON value; raises what its reader raises."""
    (entry,) = read_value(Node(value))
    return conversation(entry)

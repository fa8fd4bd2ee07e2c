r"""Plain text in a JSON record: `Agent: …` line by line in a field such as `Content`, at most three levels deep.

    {"ConversationId": "…", "Content": "Agent: Good morning.\nCustomer: Hello."}

The text is read as `plain_text` is; the first field that holds such a text counts. See, for instance,
Microsoft's Conversation Knowledge Mining solution accelerator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from app.core.conversation import Conversation
from app.transcripts.reader import Entry, JsonReader, Rank
from app.transcripts.shared.columns import Column, column_of, label_of, plain_name
from app.transcripts.shared.rows import labelled
from app.transcripts.tree import Node

_FIELD_NAMES = (
    "content transcript transcription transcripttext text body conversation conversationtext dialogue dialog message "
    "call calltranscript callcontent chat chattranscript rawtext fulltext output result results data payload record "
    "value page pagecontent chunk"
)
_FIELDS = frozenset(_FIELD_NAMES.split())
_DEEPEST = 3


def _found(value: Any, depth: int = 0) -> tuple[tuple[str, ...], Conversation] | None:
    """The names that lead to the text, and the conversation that it holds."""
    if not isinstance(value, dict) or depth == _DEEPEST:
        return None
    for name, inner in value.items():
        if not isinstance(inner, str | dict) or plain_name(name) not in _FIELDS:
            continue
        if isinstance(inner, str) and (conversation := labelled(inner, "")):
            return (name,), conversation
        if isinstance(inner, dict) and (deeper := _found(inner, depth + 1)):
            return (name, *deeper[0]), deeper[1]
    return None


def _id(value: dict[str, Any]) -> str | None:
    ids = {found[0]: value[name] for name in value if (found := column_of(name))}
    own = next((id_ for column in (Column.CONVERSATION, Column.ID) if (id_ := label_of(ids.get(column)))), None)
    return own if own is None or own.isascii() else None


def _read(root: Node) -> Iterator[Entry]:
    found = _found(root.value)
    if found is None:
        raise root.error("holds no text in which speakers open lines")
    path, conversation = found
    # Only names that are known stand in a path.
    names = [name if name.isidentifier() else plain_name(name) for name in path]
    where = root.pointer + "".join(f"/{name}" for name in names)
    turns = tuple(turn._replace(pointer=where) for turn in conversation.turns)
    yield Entry(replace(conversation, turns=turns, id=_id(root.value)))


READER = JsonReader(
    "text_field", "Plain text in a JSON field", lambda value: _found(value) is not None, _read, Rank.FALLBACK
)

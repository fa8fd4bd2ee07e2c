"""A list of turns as many systems write it: objects with a speaker or role and a text, alone or inside an object.

    [{"speaker": "Agent", "text": "…", "start": 0.5}, …]
    {"id": "c-1", "messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}
    {"data": {"transcript": [{"participant": {"name": "Jo", "role": "agent"}, "body": "…"}]}}

Names are those of `app.transcripts.shared.columns`. Beside an `assistant`, who is a bot, a `user` is the
customer. An object with `turns` is softsell's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from app.transcripts.reader import Entry, JsonReader, LeftOut, Rank
from app.transcripts.shared.columns import Column, Columns, Row, label_of, plain_name
from app.transcripts.shared.rows import entries_of
from app.transcripts.tree import Node

_HOLDER_NAMES = (
    "transcript transcripts transcription transcriptions messages utterances segments entries dialogue dialog "
    "dialogues dialogs conversation conversations items sentences lines phrases chat chatmessages chathistory history "
    "exchanges results result data payload response records rows call content body log events interactions monologues "
    "transcriptsegments transcriptentries messagelist turnlist speech output"
)
_HOLDERS = frozenset(_HOLDER_NAMES.split())
_DEEPEST = 3
_LOOKED_AT = 20
_MOST_SHAPES = 1000


def _is_turn(value: Any) -> bool:
    """Whether an object says something and who says it."""
    if not isinstance(value, dict) or len(value) > 60:
        return False
    columns = _columns(value)
    said = value.get(columns.at.get(Column.TEXT, ""))
    return columns.names_speakers and (isinstance(said, str) or _has_parts(said))


def _has_parts(value: Any) -> bool:
    parts = value[:3] if isinstance(value, list) else []
    return any(isinstance(part, dict) and isinstance(part.get("text"), str) for part in parts)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and any(map(_is_turn, value[:_LOOKED_AT]))


def _path(value: Any, depth: int = 0) -> tuple[str, ...] | None:
    """The names that lead to a list of turns."""
    if _is_list(value):
        return ()
    if not isinstance(value, dict) or "turns" in value or depth == _DEEPEST:
        return None
    for name, inner in value.items():
        if isinstance(inner, dict | list) and holds(name):
            found = _path(inner, depth + 1)
            if found is not None:
                return (name, *found)
    return None


def holds(name: str) -> bool:
    """Whether a field of this name may hold a list of turns."""
    return plain_name(name) in _HOLDERS


def _recognises(value: Any) -> bool:
    return _path(value) is not None


def _columns(names: Iterable[str]) -> Columns:
    return Columns.of((name, name) for name in names)


def _rows(holder: Node, whose: Column) -> Iterator[Row | LeftOut]:
    """Each object as a row, its `id` being a turn's or a conversation's; the columns of a shape are found once."""
    shapes: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    place = holder.pointer
    for index, value in enumerate(holder.value):
        if not isinstance(value, dict):
            yield LeftOut(f"{place}/{index}", "no object")
            continue
        shape = tuple(value)
        cells = shapes.get(shape)
        if cells is None:
            at = dict(_columns(shape).at)
            if Column.ID in at:
                at.setdefault(whose, at[Column.ID])
                del at[Column.ID]
            cells = [(column.value, name) for column, name in at.items()]
            if len(shapes) < _MOST_SHAPES:
                shapes[shape] = cells
        yield Row(f"{place}/{index}", **{column: value[name] for column, name in cells})


def _read(root: Node) -> Iterator[Entry]:
    path = _path(root.value)
    if path is None:
        raise root.error("holds no list of turns")
    holder, id_ = root, None
    for name in path:
        id_ = _own_id(holder.value) or id_
        # Only names that are known stand in a path.
        shown = name if name.isidentifier() else plain_name(name)
        holder = Node(holder.value[name], shown, holder)
    columns = _columns(next(value for value in holder.value if _is_turn(value)))
    whose = Column.TURN
    if (place := columns.at.get(Column.ID)) is not None:
        ids = [label_of(value.get(place)) for value in holder.value[:_LOOKED_AT] if isinstance(value, dict)]
        whose = Column.CONVERSATION if any(one and one == other for one, other in pairwise(ids)) else Column.TURN
    yield from entries_of(_rows(holder, whose), columns, id_)


def _own_id(value: dict[str, Any]) -> str | None:
    columns = _columns(value)
    for column in (Column.CONVERSATION, Column.ID):
        if column in columns.at and (found := label_of(value[columns.at[column]])):
            return found
    return None


READER = JsonReader("turn_list", "A list of turns in JSON", _recognises, _read, Rank.GENERIC)

"""A conversation's score as a row: the columns of every table that the command line writes; see `app.tables`."""

from __future__ import annotations

from collections.abc import Mapping

from app.core.conversation import Role
from app.outputs.result import About, Result
from app.report import visible
from app.tables import Cell, Kind, label_cells, label_columns

# As in the API's answers.
_DIGITS = 6


COLUMNS: Mapping[str, Kind] = {
    "source": Kind.TEXT,
    "line": Kind.COUNT,
    "conversation_id": Kind.TEXT,
    "format": Kind.TEXT,
    "risk": Kind.NUMBER,
    "band": Kind.TEXT,
    **label_columns("mis_selling"),
    "empathy_score": Kind.NUMBER,
    **label_columns("empathy"),
    **label_columns("practice"),
    **label_columns("signals"),
    "turns": Kind.COUNT,
    "agent_turns": Kind.COUNT,
    "customer_turns": Kind.COUNT,
    "abstained": Kind.TEXT,
    "model_version": Kind.TEXT,
    "label_set_version": Kind.TEXT,
}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def row(result: Result, about: About) -> dict[str, Cell]:
    """The cells of a conversation, in the order of `COLUMNS`; `abstained` is `part:code` pairs, by spaces."""
    conversation, score = result.conversation, result.score
    tables = {
        "mis_selling": score.categories,
        "empathy": score.empathy,
        "practice": score.practice,
        "signals": score.signals,
    }
    labels = label_cells({group: {label: round(p, _DIGITS) for label, p in t.items()} for group, t in tables.items()})
    spoken = [turn.role for turn in conversation.turns]
    cells: dict[str, Cell] = labels | {
        "source": result.source,
        "line": result.taken.line,
        "conversation_id": None if conversation.id is None else visible(conversation.id),
        "format": result.taken.format,
        "risk": _rounded(score.risk),
        "band": None if score.band is None else str(score.band),
        "empathy_score": _rounded(score.empathy_score),
        "turns": len(spoken),
        "agent_turns": spoken.count(Role.AGENT),
        "customer_turns": spoken.count(Role.CUSTOMER),
        "abstained": " ".join(f"{item.of}:{item.code}" for item in score.abstained) or None,
        "model_version": about.model_version,
        "label_set_version": about.label_set_version,
    }
    return {name: cells[name] for name in COLUMNS}

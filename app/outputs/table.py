"""A conversation's score as a row: the columns of every table that is written.

Columns of labels are named `group_label`, as `mis_selling_pressure`; numbers are probabilities, 0 to 1,
and empty where the conversation was not scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from app.core.conversation import Role
from app.core.labels import DISMISSIVE, EMPATHY_DIMENSIONS, MIS_SELLING, PRACTICE, SIGNALS, names
from app.outputs.result import About, Result
from app.report import visible

Cell = str | int | float | None
# As in the API's answers.
_DIGITS = 6


class Kind(Enum):
    """What a column holds."""

    TEXT = "text"
    COUNT = "count"
    NUMBER = "number"


_GROUPS = {
    "mis_selling": tuple(names(MIS_SELLING)),
    "empathy": (*(dimension.name for dimension in EMPATHY_DIMENSIONS), DISMISSIVE.name),
    "practice": tuple(names(PRACTICE)),
    "signals": tuple(names(SIGNALS)),
}


def _of(group: str) -> dict[str, Kind]:
    return {f"{group}_{label}": Kind.NUMBER for label in _GROUPS[group]}


COLUMNS: Mapping[str, Kind] = {
    "source": Kind.TEXT,
    "line": Kind.COUNT,
    "conversation_id": Kind.TEXT,
    "format": Kind.TEXT,
    "risk": Kind.NUMBER,
    "band": Kind.TEXT,
    **_of("mis_selling"),
    "empathy_score": Kind.NUMBER,
    **_of("empathy"),
    **_of("practice"),
    **_of("signals"),
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
    labels: dict[str, Cell] = {
        f"{group}_{label}": _rounded(tables[group].get(label)) for group, known in _GROUPS.items() for label in known
    }
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

"""Points in time."""

from __future__ import annotations

from datetime import UTC, datetime

from app.transcripts.tree import Node


def since_1970_ms(moment: datetime) -> float | None:
    """Milliseconds since 1970, of UTC where no zone is named; `None` beyond what the machine's clock knows."""
    try:
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000
    except (ValueError, OverflowError, OSError):
        return None


def point_ms(node: Node) -> int | None:
    """A point in time, in ISO 8601 or in seconds since 1970, in milliseconds since then; `None` where there is none.

    Raises `UnreadableTranscript` for anything else.
    """
    return iso_ms(node) if isinstance(node.value, str) else node.milliseconds(1000)


def iso_ms(node: Node) -> int | None:
    """As `point_ms`, but in ISO 8601 alone."""
    text = (node.optional_text() or "").strip()
    if not text:
        return None
    try:
        found = since_1970_ms(datetime.fromisoformat(text))
    except ValueError:
        found = None
    if found is None:
        raise node.error("must be a date and time in ISO 8601")
    return node.holding(found).milliseconds()

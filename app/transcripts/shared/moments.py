"""Times of the rows of a table, in whatever way they are written.

A number has the unit that its column's name gives. Where it gives none, whole numbers are milliseconds
if fewer than one word in fifty would be spoken a second otherwise, and seconds if not; numbers beyond
10^9 are points in time, as dates are. Points in time, and a clock that shows an hour or more at the
first turn, are counted from the first turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from math import isfinite
from typing import Any

from app.transcripts.shared.columns import Column, Row
from app.transcripts.shared.times import since_1970_ms

_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})(?:[.,:](\d{1,9}))?(?:\s?([AaPp])\.?[Mm]\.?)?")
_DAY_FIRST = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4}|\d{2}),?\s+(.{4,20})")
_COMMA_NUMBER = re.compile(r"\d{1,12},\d{1,9}")
_LONGEST_TIME = 40
_LATEST_MS = 10**13
_POINT_S, _POINT_MS, _POINT_US, _POINT_NS = 10**9, 10**11, 10**14, 10**17
_HOUR_MS = 3_600_000
_FEWEST_WORDS_A_UNIT = 0.02


def _clock_ms(text: str) -> float | None:
    match = _CLOCK.fullmatch(text)
    if not match:
        return None
    hours, minutes, seconds, fraction, half = match.groups()
    if hours is None and half:
        hours, minutes, seconds = minutes, seconds, "0"
    if int(seconds) > 59 or (hours is not None and int(minutes) > 59):
        return None
    hour = int(hours or 0)
    if half:
        hour = hour % 12 + (12 if half in "pP" else 0)
    whole = ((hour * 60 + int(minutes)) * 60 + int(seconds)) * 1000
    return whole + float(f"0.{fraction}") * 1000 if fraction else float(whole)


def _date_ms(text: str) -> float | None:
    try:
        return since_1970_ms(datetime.fromisoformat(text.removesuffix(" UTC")))
    except ValueError:
        pass
    if not (match := _DAY_FIRST.fullmatch(text)):
        return None
    first, second, year = (int(part) for part in match.groups()[:3])
    clock = _clock_ms(match[4].strip())
    if clock is None and (short := re.fullmatch(r"(\d{1,2}):(\d{2})", match[4].strip())):
        clock = (int(short[1]) * 60 + int(short[2])) * 60_000
    month, day = (second, first) if first > 12 else (first, second)
    try:
        midnight = since_1970_ms(datetime(year + 2000 if year < 100 else year, month, day, tzinfo=UTC))
    except ValueError:
        return None
    if clock is None or midnight is None:
        return None
    # Hours and minutes, as dates have, and not minutes and seconds, as offsets have.
    return midnight + (clock * 60 if match[4].count(":") == 1 and not match[4].strip()[-1:].isalpha() else clock)


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ".") if "," in text and _COMMA_NUMBER.fullmatch(text) else text)
    except ValueError:
        return None


def moment(value: Any) -> tuple[float, bool] | None:
    """A time and whether it is a bare number, of which the unit is still to be told; in milliseconds if not."""
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if not text or len(text) > _LONGEST_TIME:
            return None
        # No number has a colon, and most texts with one are clocks.
        value = None if ":" in text else _number(text)
        if value is None:
            found = _clock_ms(text)
            found = _date_ms(text) if found is None else found
            return None if found is None or not 0 <= found <= _LATEST_MS else (found, False)
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return (value, True) if 0 <= value < 1e20 and isfinite(value) else None
    found = None
    if isinstance(value, datetime):
        found = since_1970_ms(value)
    elif isinstance(value, timedelta):
        found = value.total_seconds() * 1000
    elif isinstance(value, time):
        found = ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond / 1000
    elif isinstance(value, date):
        found = since_1970_ms(datetime(value.year, value.month, value.day, tzinfo=UTC))
    return None if found is None or not 0 <= found <= _LATEST_MS else (found, False)


def _unit(numbers: Sequence[float], words: Callable[[], int]) -> float:
    """The unit of bare numbers in milliseconds; see the module's docstring."""
    largest = max(numbers)
    for bound, unit in ((_POINT_NS, 1e-6), (_POINT_US, 1e-3), (_POINT_MS, 1.0), (_POINT_S, 1000.0)):
        if largest >= bound:
            return unit
    if not all(float(number).is_integer() for number in numbers):
        return 1000.0
    span = largest - min(numbers)
    return 1.0 if span and words() / span < _FEWEST_WORDS_A_UNIT else 1000.0


def _milliseconds(found: Sequence[tuple[float, bool] | None], unit: float) -> list[float | None]:
    if not any(found):
        return [None] * len(found)
    times = [None if item is None else item[0] * unit if item[1] else item[0] for item in found]
    return [None if item is None or item > _LATEST_MS else item for item in times]


def times(
    rows: Sequence[Row], texts: Sequence[str], units: Mapping[Column, float]
) -> tuple[list[int | None], list[int | None]]:
    """The start and the end of each row in milliseconds; `None` where it has none that can be read.

    Args:
        rows: of one conversation.
        texts: their words, which tell seconds from milliseconds.
        units: in milliseconds, of the columns whose names give them.
    """
    starts, ends = [moment(row.start) for row in rows], [moment(row.end) for row in rows]
    lasting = [moment(row.duration) for row in rows]
    if not any(starts) and not any(ends) and not any(lasting):
        return [None] * len(rows), [None] * len(rows)
    bare = [item[0] for found in (starts, ends) for item in found if item and item[1]]
    bare = bare or [item[0] for item in lasting if item and item[1]]
    unit = _unit(bare, lambda: sum(text.count(" ") + 1 for text in texts)) if bare else 1000.0
    beyond = unit if not bare or max(bare) < _POINT_S else 1000.0
    begun = _milliseconds(starts, units.get(Column.START, unit))
    ended = _milliseconds(ends, units.get(Column.END, units.get(Column.START, unit)))
    lasted = _milliseconds(lasting, units.get(Column.DURATION, units.get(Column.START, beyond)))
    first = next((item for item in begun if item is not None), 0)
    earliest = min((item for item in begun if item is not None), default=0)
    clock = any(item and not item[1] for item in starts) and first >= _HOUR_MS
    origin = earliest if earliest >= _POINT_MS or clock else 0
    whole_starts = [None if start is None else max(round(start - origin), 0) for start in begun]
    if not any(ends) and not any(lasting):
        return whole_starts, [None] * len(rows)
    whole_ends: list[int | None] = []
    for start, whole_start, stated, length in zip(begun, whole_starts, ended, lasted, strict=True):
        end = start + length if stated is None and start is not None and length is not None else stated
        whole_end = None if end is None else round(end - origin)
        whole_ends.append(None if whole_end is None or whole_end < (whole_start or 0) else whole_end)
    return whole_starts, whole_ends

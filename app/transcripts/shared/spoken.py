"""Turns as a source has them, and what is the same for all: their order, their ids, their times and channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.core.conversation import Role, Turn

# 1973 in milliseconds since 1970: no conversation is as long, so that anything later is a point in time.
_FIRST_EPOCH_MS = 10**11


class Spoken(NamedTuple):
    """A turn as the source has it, before all of them are put in order.

    `channel` is the source's number or name of the audio channel, where `speaker` counts anew on each.
    """

    role: Role
    text: str
    start_ms: int | None
    end_ms: int | None
    speaker: str | None
    pointer: str
    id: str | None = None
    confidence: float | None = None
    is_final: bool = True
    channel: str | None = None


def numbered(found: Sequence[Spoken]) -> tuple[Turn, ...]:
    """Turns in the order given, with the source's ids if each has one of its own, else with their numbers.

    An end that is before the start is left out.
    """
    if not found:
        return ()
    # By columns, since no loop over very many turns is as fast as `map`.
    roles, texts, starts, ends, speakers, pointers, own, confidences, finals, _ = zip(*found, strict=True)
    ids = own if all(own) and len(set(own)) == len(own) else map(str, range(len(found)))
    ends = tuple(
        None if end_ms is not None and end_ms < (start_ms or 0) else end_ms
        for start_ms, end_ms in zip(starts, ends, strict=True)
    )
    return tuple(map(Turn, ids, roles, texts, starts, ends, speakers, finals, confidences, pointers))


def in_order(found: Iterable[Spoken], channels: int = 1) -> tuple[Turn, ...]:
    """Turns by start, one without a start staying after the one before it; blank ones are left out.

    Where there are several channels, the speaker is the channel, and the source's own number of the
    speaker stands only beside it where one channel holds several.

    Args:
        found: what was spoken, in the source's order.
        channels: how many the source says there are, if any of them may be silent.
    """
    kept = [item for item in found if item.text and not item.text.isspace()]
    starts: list[int] = []
    latest_ms = 0
    for item in kept:
        if (start_ms := item.start_ms) is not None:
            latest_ms = start_ms
        starts.append(latest_ms)
    if starts != sorted(starts):
        kept = [kept[place] for place in sorted(range(len(kept)), key=starts.__getitem__)]
    return numbered(_on_channels(kept, channels) if any(item.channel for item in kept) else kept)


def _on_channels(found: Sequence[Spoken], channels: int) -> list[Spoken]:
    speakers: dict[str | None, set[str | None]] = {}
    for item in found:
        speakers.setdefault(item.channel, set()).add(item.speaker)
    if channels < 2 and len(speakers) < 2:
        return list(found)
    return [
        item._replace(speaker=_on_channel(item, len(speakers[item.channel]))) if item.channel else item
        for item in found
    ]


def _on_channel(item: Spoken, speakers: int) -> str:
    alone = speakers == 1 or item.speaker is None
    return f"channel {item.channel}" if alone else f"channel {item.channel} speaker {item.speaker}"


def from_origin(found: Iterable[Spoken], stated_ms: int | None = None) -> list[Spoken]:
    """The same with points in time turned to offsets from the start of the conversation.

    Args:
        found: turns whose times are points in time or offsets already.
        stated_ms: the start that the source states; the first turn's is taken where that is no earlier.
    """
    found = list(found)
    first = min((item.start_ms for item in found if item.start_ms is not None), default=0)
    origin = first if first >= _FIRST_EPOCH_MS else 0
    if stated_ms is not None and stated_ms <= first:
        origin = stated_ms
    if not origin:
        return found
    return [
        item._replace(
            start_ms=None if item.start_ms is None else item.start_ms - origin,
            end_ms=None if item.end_ms is None else max(item.end_ms - origin, 0),
        )
        for item in found
    ]

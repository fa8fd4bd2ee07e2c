"""What is masked, and the mark that takes its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """A kind of identifier. Where two overlap, the one named first here gives the mask its name."""

    EMAIL = "email"
    CARD = "card"
    DATE_OF_BIRTH = "date_of_birth"
    PHONE = "phone"
    ADDRESS = "address"
    NUMBER = "number"
    NAME = "name"

    @property
    def mask(self) -> str:
        """The mark, such as `[DATE_OF_BIRTH]`, which `app.core.text` reads as a redaction."""
        return f"[{self.value.upper()}]"


_ORDER = {kind: place for place, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Found:
    """An identifier: text[start:end] in code points."""

    start: int
    end: int
    kind: Kind


def merged(found: Iterable[Found]) -> list[Found]:
    """In the order of the text and apart from each other: those that overlap become one, over all they cover."""
    apart: list[Found] = []
    for item in sorted(found, key=lambda item: (item.start, item.end)):
        if apart and item.start < apart[-1].end:
            last = apart[-1]
            kind = min(last.kind, item.kind, key=_ORDER.__getitem__)
            apart[-1] = Found(last.start, max(last.end, item.end), kind)
        else:
            apart.append(item)
    return apart

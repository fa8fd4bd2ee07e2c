"""Names before a colon at the beginning of a line, and words there that are none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from app.transcripts.speakers import is_well_known

_BEFORE_LABEL = re.compile(r"(?:[-\u2013\u2014\u2022*]|>>)\s*")
_LONGEST_LABEL = 64
_MOST_NAME_WORDS = 6
# Words that open lines of speech as names do.
_NOT_NAME_WORDS = (
    "answer caution example first finally fyi important item last lastly monthly next no note notes now number "
    "option ps question reason remember result second so step subject summary then third tip total warning well yes"
)
_NOT_NAMES = frozenset(_NOT_NAME_WORDS.split())
_PARTICLES = frozenset(
    ("al", "bin", "da", "de", "del", "den", "der", "di", "dos", "du", "el", "la", "le", "of", "van", "von")
)


def _name_of(label: str) -> str:
    """`Anna` of `- Anna`, `[Anna]` and `>> ANNA`; empty if it is none by its shape."""
    name = label.strip()
    if before := _BEFORE_LABEL.match(name):
        name = name[before.end() :]
    if name.startswith(("[", "(")) and name.endswith(("]", ")")) and len(name) > 2 and "[" not in name[1:]:
        name = name[1:-1].strip()
    if len(name) > _LONGEST_LABEL or not any(character.isalnum() for character in name):
        return ""
    return "" if any(mark in name for mark in "<>{}?!;") else name


def _looks_like_name(name: str) -> bool:
    words = name.split()
    if len(words) > _MOST_NAME_WORDS or words[0].casefold() in _NOT_NAMES or not any(map(str.isalpha, name)):
        return False
    if len(words) == 1 and any(map(str.isdigit, name)):
        return True
    return all(not word[0].islower() or word in _PARTICLES for word in words) and not words[0][0].islower()


def names_among(labels: Mapping[str, int], unnamed: int) -> dict[str, str]:
    """Which of the texts before a colon are names, and the speaker that each names.

    Args:
        labels: how often each opens a line in the whole document.
        unnamed: how many cues there are that name nobody in another way.
    """
    named = {label: name for label in labels if (name := _name_of(label))}
    uses: dict[str, int] = {}
    for label, name in named.items():
        uses[name] = uses.get(name, 0) + labels[label]
    are_usual = 2 * sum(uses.values()) >= unnamed
    found = {}
    for label, name in named.items():
        plain = len(name.split()) <= 4 and name.split()[0].casefold() not in _NOT_NAMES
        looks = _looks_like_name(name)
        if is_well_known(name) or (looks and (are_usual or uses[name] > 1)) or (plain and are_usual and uses[name] > 2):
            found[label] = name
    return found


def before_colon(line: str) -> tuple[str, str]:
    """What stands before the first colon that a space or the end of the line follows, and what after it."""
    before, colon, after = line.partition(": ")
    if colon:
        return (before, after) if len(before) <= _LONGEST_LABEL + 6 else ("", line)
    return (line[:-1], "") if line.endswith(":") and len(line) <= _LONGEST_LABEL else ("", line)


def by_name(text: str, names: Mapping[str, str]) -> Iterator[tuple[str | None, str]]:
    """The speakers of a cue of several lines, each of which may open with a name, and what each says."""
    speaker, lines = None, list[str]()
    for line in text.split("\n"):
        label, after = before_colon(line)
        name = names.get(label) if label else None
        if not name:
            lines.append(line)
            continue
        if lines:
            yield speaker, "\n".join(lines)
        speaker, lines = name, [after] if after else []
    yield speaker, "\n".join(lines)

"""Dates of birth: any date beside words of birth, and a full date of a year in which an adult was born.

Other dates stay, since a reviewer needs when a contract starts and when somebody calls back.
"""

from __future__ import annotations

import re

from app.privacy.kinds import Found, Kind
from app.privacy.spoken import NUMBER_WORD, TEENS, TENS, UNIT_AFTER, UNITS, behind

_FLAGS = re.IGNORECASE | re.ASCII
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_ORDINAL = (
    r"(?:(?:twenty|thirty)[ -])?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|tenth|eleventh|twelfth"
    r"|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|thirtieth"
)
_DAY = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?|{_ORDINAL}|{NUMBER_WORD})"
# Born in one of these years, somebody can be a customer and no date of a contract is likely.
_YEAR = (
    rf"(?:19[2-9]\d|200[0-7]|nineteen[ -](?:{TENS})(?:[ -](?:{UNITS}))?|nineteen[ -](?:oh|{TEENS})"
    r"|two thousand(?: and)?(?: (?:one|two|three|four|five|six|seven))?)(?!\w)"
)
_SPACE = r"[ ,.]{1,3}"
_FULL = re.compile(
    rf"(?<![\w/.\-])(?:the )?(?:\d{{1,2}}[ /.\-]\d{{1,2}}[ /.\-](?:19[2-9]\d|200[0-7])|(?:19[2-9]\d"
    rf"|200[0-7])[/.\-]\d\d?[/.\-]\d\d?"
    rf"|{_DAY}(?: of)?{_SPACE}{_MONTH}{_SPACE}{_YEAR}|{_MONTH}{_SPACE}(?:the )?{_DAY}{_SPACE}{_YEAR})(?!\w)",
    _FLAGS,
)
_ATOM = (
    rf"(?:two thousand(?: and)?|nineteen hundred(?: and)?|\d{{1,4}}(?:st|nd|rd|th)?|{_MONTH}|{_ORDINAL}"
    rf"|{NUMBER_WORD})(?!\w)"
)
_JOIN = r"[ ,.\-/'\u2026]{1,4}+(?:(?:of|the|and|uh|um|er|in|month|year)\b[ ,.\u2026]{1,3}+){0,3}+"
_ANY = re.compile(rf"(?<![\w$\u00a3\u20ac])(?:the )?{_ATOM}(?:{_JOIN}{_ATOM}){{0,9}}+", _FLAGS)
_ONE = re.compile(_ATOM, _FLAGS)
_CUE = re.compile(r"\b(?:date of birth|d\.?o\.?b|birth ?(?:day|date)|born|year of birth)\b", _FLAGS)
_CUE_REACH = 45
_YEAR_ALONE = re.compile(_YEAR, _FLAGS)


def dates_of_birth(text: str, asked: frozenset[str]) -> list[Found]:
    """The dates of birth of a folded turn; `asked` is what the turns before asked for."""
    found = [Found(*match.span(), Kind.DATE_OF_BIRTH) for match in _FULL.finditer(text)]
    cues = [match.end() for match in _CUE.finditer(text)]
    if not cues and "birth" not in asked:
        return found
    for match in _ANY.finditer(text):
        after_cue = behind(cues, match.start(), _CUE_REACH)
        atoms = _ONE.findall(match[0])
        enough = len(atoms) >= 2 if after_cue else len(atoms) >= 3 or any(c in match[0] for c in "/")
        if UNIT_AFTER.match(text, match.end()):
            continue
        if (after_cue or "birth" in asked) and (enough or (after_cue and _YEAR_ALONE.fullmatch(match[0]))):
            found.append(Found(*match.span(), Kind.DATE_OF_BIRTH))
    return found

"""E-mail addresses, written and spoken: `j.smith@example.org`, `j dot smith at example dot org`."""

from __future__ import annotations

import re

from app.privacy.kinds import Found, Kind
from app.privacy.spoken import words_of

_FLAGS = re.IGNORECASE
_WRITTEN = re.compile(r"(?<![\w.+\-])[\w.+\-']{1,64}+@ ?[\w\-]{1,63}+(?:\.[\w\-]{1,63}+){1,4}+", _FLAGS)
_END = r"com|net|org|co|uk|in|ie|nz|au|za|ke|ng|ph|sg|ca|us|io|edu|gov|info|biz|eu|gh|pk|mail|example|me|app|dev|test"
_HOST = r"(?:g ?mail|hot ?mail|yahoo|outlook|i ?cloud|aol|proton ?mail|live|msn|rediff ?mail|rediff)"
# From the sign on: up to four words of the host, then dots and endings; or a host that everybody knows.
_SPOKEN = re.compile(
    rf"(?:(?<!\w)at(?: the rate(?: of)?)?|@)[ ,]{{1,2}}(?:(?:(?:[a-z\d\-]{{1,30}}+[ ,\-]{{1,2}}){{1,4}}?dot[ "
    rf",]{{1,2}}(?:{_END})\b"
    rf"(?:[ ,]{{1,2}}(?:dot[ ,]{{1,2}})?(?:{_END})\b){{0,2}})|{_HOST}\b(?:[ ,]{{0,2}}(?:dot|\.)[ ,]{{0,2}}(?:com"
    rf"|co)\b)?"
    rf"|[a-z\d\-]{{2,30}}\.(?:[a-z\d\-]{{2,20}}\.)?(?:{_END})\b)",
    _FLAGS | re.ASCII,
)
_WORD_BEFORE = re.compile(r"([\w'.+\-]{1,40})([ ,\-\u2026]{0,3})$", _FLAGS)
_STOP = words_of(
    "is it's its that's thats that to my email mail e-mail address yes yeah okay ok um uh er erm "
    "the on send sure so me "
    "you just well right no sir ma'am mam please at was be would use under i it and for your our his her with from "
    "emailed invoice confirmation reach us write one's do of or this by sent go goes spelled"
)
_MOST_WORDS = 14
_LETTERS = re.compile(
    r"(?:[a-z]|\d{1,4}|dot|dash|underscore|hyphen|zero|one|two|three|four|five|six|seven|eight"
    r"|nine)$",
    _FLAGS,
)


def _begin(text: str, sign: int) -> int:
    """Where the name before a spoken sign begins; `sign` itself if there is none."""
    begin, position = sign, sign
    for _ in range(_MOST_WORDS):
        match = _WORD_BEFORE.search(text, max(0, position - 45), position)
        if match is None or match[1].lower() in _STOP:
            break
        # A comma parts sentences, unless letters are spelled out.
        spelled = _LETTERS.match(match[1])
        if "," in match[2] and position != sign and not spelled:
            break
        if match[1].endswith((".", "?", "!")):
            break
        begin = position = match.start(1)
    return begin


def emails(text: str) -> list[Found]:
    """The e-mail addresses of a folded turn."""
    found = []
    if "@" in text:
        found = [Found(*match.span(), Kind.EMAIL) for match in _WRITTEN.finditer(text)]
    for match in _SPOKEN.finditer(text):
        if (begin := _begin(text, match.start())) < match.start():
            found.append(Found(begin, match.end(), Kind.EMAIL))
    return found

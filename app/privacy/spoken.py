"""How numbers are written and spoken: the pieces that every finder of numbers is built of.

All patterns are for folded text (`app.core.text.fold`), in which each space is a plain one. Each takes a time that
grows with the text and no faster: what repeats is possessive or bounded, and starts only where no word is under way.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

UNITS = "one|two|three|four|five|six|seven|eight|nine"
ZEROS = "zero|oh|o|nought|naught"
TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
NUMBER_WORD = rf"(?:(?:{TENS})(?:[ -](?:{UNITS})\b)?|{TEENS}|{UNITS}|{ZEROS})"
_VALUES = {word: str(value) for value, word in enumerate(UNITS.split("|"), 1)}
_VALUES |= dict.fromkeys(ZEROS.split("|"), "0")
_VALUES |= {word: str(value) for value, word in enumerate(TEENS.split("|"), 10)}
_TENS = {word: value for value, word in enumerate(TENS.split("|"), 2)}
_TIMES = {"double": 2, "dbl": 2, "triple": 3, "treble": 3}
TIMES = "|".join(_TIMES)
# What people say or put between the parts of a number.
GAP = (
    r"[ ,.\-/()\u2026]{1,4}+"
    r"(?:(?:uh|um|er|erm|ah|and|then|so|dash|hyphen|slash|space|stroke)\b[ ,.\-\u2026]{1,4}+){0,3}+"
)
ATOM = rf"(?<!\w)(?:(?:{TIMES})[ -]{{1,2}})?(?:\d++|{NUMBER_WORD})(?!\w)"
# Amounts, prices, times and counts, which a reviewer needs and nobody is known by.
QUANTITY = re.compile(
    r"[$\u00a3\u20ac\u20b9\u20b1\u00a5] ?\d[\d,.]*+"
    r"|(?<!\w)(?:rs|inr|usd|gbp|eur|kes|kshs?|zar|php|sgd|nzd|aud|cad|r|s\$)\.? ?(?=\d)(?:\d{1,3}(?:[ ,]\d{3})++"
    r"|\d++)"
    r"(?:\.\d\d?)?(?![\d\w])"
    r"|(?<![\d.])\d{1,3}(?:,\d{2,3})++(?:\.\d++)?"
    r"|(?<![\d.])\d++\.\d{1,2}(?![\d.])"
    r"|(?<!\d)\d{1,2}:\d\d(?::\d\d)?(?!\d)"
    r"|(?<!\d)\d++ ?%"
    r"|(?<!\d)\d{1,2}(?:st|nd|rd|th)(?!\w)",
    re.IGNORECASE | re.ASCII,
)
UNIT_AFTER = re.compile(
    r"[ \-]{0,2}(?:%|/-|(?:percent|per|pounds?|quid|dollars?|bucks|cents?|euros?|rand|rands|rupees?|shillings?"
    r"|bob|pesos?"
    r"|lakhs?|crores?|grand|k|million|thousand|hundred|months?|years?|yrs?|days?|weeks?|hours?|hrs?|minutes?|mins?"
    r"|seconds?|gb|mb|tb|mbps|gigs?|megs?|kms?|kilomet(?:re|er)s?|miles?|met(?:re|er)s?|kg|kilos?|lit(?:re|er)s?|kwh"
    r"|kw|units?|points?|times|people|a (?:month|week|year|day)|each|p\.?m|a\.?m|o'clock|acres?|feet|square|monthly"
    r"|yearly|total|altogether|only)\b)",
    re.IGNORECASE | re.ASCII,
)


def words_of(text: str) -> frozenset[str]:
    """The words of a list."""
    return frozenset(text.split())


def digits_of(atom: str) -> str:
    """The digits that a matched atom stands for: `double four` is 44, `fifty-three` 53, `0712` itself."""
    words = atom.lower().replace("-", " ").split()
    times = _TIMES.get(words[0], 1)
    if times > 1:
        words = words[1:]
    if words[0] in _TENS:
        digits = str(_TENS[words[0]]) + (_VALUES[words[1]] if len(words) > 1 else "0")
    else:
        digits = _VALUES.get(words[0], words[0])
    return digits * times


def behind(ends: Sequence[int], place: int, reach: int) -> bool:
    """Whether one of some places, in ascending order, lies at most `reach` characters before `place`, or on it."""
    index = bisect_right(ends, place)
    return index > 0 and place - ends[index - 1] <= reach


def hidden(text: str, pattern: re.Pattern[str]) -> str:
    """The text with what matches blotted out, character for character."""
    return pattern.sub(lambda match: "~" * len(match[0]), text)

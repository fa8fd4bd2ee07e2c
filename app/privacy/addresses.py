"""Where somebody lives: houses with their streets, flats, boxes and postcodes.

A town or a street named alone stays: many share it, and sales calls name places that they serve.
"""

from __future__ import annotations

import re

from app.core.common_words import ENGLISH
from app.privacy.kinds import Found, Kind
from app.privacy.spoken import NUMBER_WORD, UNIT_AFTER, behind

_HOUSE = (
    rf"(?:(?:no\.? ?|number )?\d{{1,5}}(?:[/\-]\d{{1,4}})?[A-Za-z]?|(?:{NUMBER_WORD}(?:[ \-]hundred(?: and)?)?[ "
    rf"\-]?){{1,4}}"
    r"(?: ?[a-dA-D](?= ))?)"
)
# Named only for streets; the others are words of every day too.
_PLAIN = (
    r"streets?|st|roads?|rd|avenue|ave|lane|ln|crescent|cres|terrace|boulevard|blvd|mews|highway|hwy|nagar|marg"
    r"|parade|pde"
    r"|esplanade|circuit|cul-de-sac|barangay|brgy|salai|chowk|gali|estate|gardens|drv"
)
_COMMON = (
    r"drive|dr|close|court|ct|place|pl|way|walk|hill|grove|square|sq|park|rise|green|row|view|colony|layout"
    r"|heights|quay|wharf|loop|path|parkway|pkwy|alley|house|cottage|towers?|apartments?|building|sector"
    r"|phase|block|extension|enclave"
)
_NOT_STREET = (
    r"(?!(?:a|an|the|my|your|on|in|at|per|for|to|is|was|and|or|off|down|up|per|percent|hundred|thousand|million"
    r"|lakhs?|k|km"
    r"|kms|kilomet\w*|miles?|all|wheel|months?|years?|days?|hours?|weeks?|minutes?|pounds?|dollars?|rand|rupees?"
    r"|euros?|i"
    r"|you|we|they|it|that|this|if|so|with|from|by|when|people|more|less|than|gb|mbps|point|times|grand|pm|am|other"
    r"|of|off|each|then|but|not|no|only|just|once|can|will|would)\b)"
)
_WORD = rf"{_NOT_STREET}[^\W\d_][\w'.]{{1,20}}"
_UNIT = (
    r"(?:flat|apartment|apt|unit|suite|room|door|plot|stand|shop|house(?: no\.?| number)?|block|blk|tower"
    r"|wing|villa|stall|lot|floor)"
)
_TAIL = r"(?:[ ,]{1,2}(?:north|south|east|west|ne|nw|se|sw|extension|ext|cross|main|phase \d|stage \d))?"
_STREET = re.compile(
    rf"(?<![\w.,$\u00a3\u20ac])(?:{_UNIT} {{0,1}}#? ?{_HOUSE}[ ,]{{1,3}})?{_HOUSE}[ ,]{{1,2}}(?:{_WORD}[ "
    rf"]){{1,3}}?(?P<plain>{_PLAIN})(?!\w)\.?{_TAIL}",
    re.IGNORECASE,
)
_COMMON_STREET = re.compile(
    rf"(?<![\w.,$\u00a3\u20ac])(?:{_UNIT} {{0,1}}#? ?{_HOUSE}[ ,]{{1,3}})?{_HOUSE}[ ,]{{1,2}}(?:{_WORD}[ "
    rf"]){{1,2}}?(?:{_COMMON})(?!\w){_TAIL}",
    re.IGNORECASE,
)
_FLAT = re.compile(
    rf"(?<!\w)(?:(?:flat|apartment|apt|suite|house (?:no\.?|number)|door (?:no\.?|number)|plot (?:no\.?|number)"
    rf"|p\.? ?o\.? box|private bag|po box)(?: no\.?| number)?(?: ?#| )(?:\d{{1,6}}[A-Za-z]?|(?:{NUMBER_WORD}[ "
    rf"-]?){{1,4}}[a-f]?\b)"
    rf"|blk \d{{1,4}}[A-Z]?|#\d\d-\d{{2,4}})(?!\w)",
    re.IGNORECASE | re.ASCII,
)
_STATES = (
    "NSW|VIC|QLD|WA|SA|TAS|ACT|NT|AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS"
    "|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WV|WI|WY|DC"
)
_POSTCODE = re.compile(
    r"(?<![\w\-])(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2}|[A-Z]\d[A-Z][ \-]?\d[A-Z]\d"
    r"|[AC-FHKNPRTV-Y](?:\d\d|6W) ?(?=[A-Z\d]{0,3}[A-Z])(?=[A-Z\d]{0,3}\d)[AC-FHKNPRTV-Y\d]{4}"
    rf"|(?:{_STATES}),? \d{{5}}(?:-\d{{4}})?|(?:{_STATES}) \d{{4}}|\d{{5}}-\d{{4}}|Singapore \d{{6}})(?![\w\-])",
)
# In lower case only British ones, and none that is a size or a time.
_LOWER_POSTCODE = re.compile(r"(?<![\w\-])[a-z]{1,2}\d[a-z\d]? ?\d(?!gb|tb|pt)[abd-hjlnp-uw-z]{2}(?![\w\-])", re.ASCII)
_CODE_CUE = re.compile(
    r"\b(?:post ?code|zip(?: ?code)?|pin ?code|postal code|eircode|pincode)\b(?:'s)?(?:[ ,:.\-]{1,3}(?:is|it's"
    r"|its|that's|uh|um|yes|yeah|of|there)\b){0,3}[ ,:.\-]{0,3}$",
    re.IGNORECASE,
)
_CODE = re.compile(
    rf"(?<![\w$\u00a3])(?:\d{{4,6}}|\d{{3}} \d{{3}}|(?:(?:double|triple) )?(?:{NUMBER_WORD})(?:[ "
    rf",\-]{{1,2}}(?:(?:double|triple) )?(?:{NUMBER_WORD})){{2,6}})(?!\w)",
    re.IGNORECASE | re.ASCII,
)
# What may begin the answer to a question for an address: a house number and up to five words, to the next mark.
_ANSWER = re.compile(
    rf"(?<![\w$\u00a3])(?:{_UNIT} ?)?(?!oh?\b){_HOUSE}[ ,]{{1,2}}(?P<words>(?:{_WORD}[ "
    rf"]){{0,4}}?{_WORD})(?=[.,?!;]|$)",
    re.IGNORECASE,
)
_LIVES = re.compile(
    r"\b(?:address|live at|living at|lives at|stay at|staying at|located at|residing at|resident of"
    r"|deliver(?:ed)? to|ship(?:ped)? to|send (?:it )?to"
    r"|post (?:it )?to|we're at|we are at|i'm at|i am at|home is|house is|moved to|property at)\b",
    re.IGNORECASE,
)
_REACH, _SAID_WITHIN = 60, 12
# Characters of a town between a street and its postcode.
_TOWN = 24
_THE_FLAT = re.compile(r"(?:the|a) flat one\b|flat one [a-z]", re.IGNORECASE)


def addresses(text: str, asked: frozenset[str]) -> list[Found]:
    """The addresses and postcodes of a folded turn; `asked` is what the turns before asked for."""
    spans = [match.span() for match in _STREET.finditer(text) if _is_street(match[0], match["plain"])]
    for match in _FLAT.finditer(text):
        if not UNIT_AFTER.match(text, match.end()) and not _THE_FLAT.search(
            text, max(0, match.start() - 4), match.end() + 2
        ):
            spans.append(match.span())
    spans += [match.span() for match in _POSTCODE.finditer(text)]
    spans += [match.span() for match in _LOWER_POSTCODE.finditer(text)]
    lives = [match.end() for match in _LIVES.finditer(text)]
    wanted = "address" in asked
    for match in _COMMON_STREET.finditer(text):
        near = behind(lives, match.start(), _REACH)
        capitals = match[0].split()[-1][:1].isupper() and match[0][:1].isdigit()
        if wanted or near or capitals:
            spans.append(match.span())
    if wanted or lives:
        for match in _ANSWER.finditer(text):
            said = match["words"].lower().replace(".", "").split()
            if (
                UNIT_AFTER.match(text, match.end())
                or UNIT_AFTER.match(text, match.start("words") - 1)
                or ENGLISH & {*said}
            ):
                continue
            if (wanted and match.start() <= _REACH) or behind(lives, match.start(), _SAID_WITHIN):
                spans.append(match.span())
    ends = sorted(end for _, end in spans)
    for match in _CODE.finditer(text):
        cued = _CODE_CUE.search(text[max(0, match.start() - 40) : match.start()])
        if (
            cued or behind(ends, match.start() - 1, _TOWN) or ("postcode" in asked and len(text) < _REACH)
        ) and not UNIT_AFTER.match(text, match.end()):
            spans.append(match.span())
    return [Found(start, end, Kind.ADDRESS) for start, end in _joined(text, spans)]


def _is_street(said: str, kind: str) -> bool:
    """Whether the words that are not only streets have a capital, or a name before them."""
    return kind.lower() not in ("st", "estate", "gardens") or kind[:1].isupper() or len(said.split()) > 2


def _joined(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Parts of one address as one, with the town between them."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined:
            between = text[joined[-1][1] : start] if start > joined[-1][1] else ""
            if start <= joined[-1][1] or (
                len(between) <= 30
                and re.fullmatch(
                    r"[ ,]{1,2}(?:[A-Z][\w']+[ "
                    r",]{1,2}){0,3}",
                    between,
                )
            ):
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
                continue
        joined.append((start, end))
    return joined

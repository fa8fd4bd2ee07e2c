"""Names of people: those of the lists, those that something beside them gives away, and all said again later.

A given name of the lists is masked wherever it stands, with the family name after it. Other words are names after
`my name is`, a title, a greeting or a question for a name. What is masked once is masked in the whole conversation.
A name alone that is in no list, with nothing beside it, is missed; firms named as people are (`Lloyd`) are masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from app.privacy.kinds import Found, Kind
from app.privacy.lexicon import Lexicon
from app.privacy.spoken import words_of

_WORD = re.compile(r"[^\W\d_]++(?:['\-][^\W\d_]++)*+")
_CAPITAL = re.compile(r"(?<!\w)[A-Z][a-z]")
_TITLE = re.compile(
    r"(?<!\w)(?:mr|mrs|ms|miss|mx|dr|prof|professor|doctor|sir|madam|master|pastor|coach|aunty"
    r"|auntie|uncle|nurse|captain)\.? ",
    re.I,
)
_STRONG = re.compile(
    r"(?<!\w)(?:(?:my|the|his|her|full|first|last|sur|family|maiden|middle|given|customer|account|card|holder"
    r"|holder's|sister's|wife's|husband's|mother's"
    r"|son's|daughter's|partner's|spouse's) ?name(?: is|'s|s|:)(?: (?:actually|just|uh|um|first name|under))?"
    r"|name's|names is"
    r"|i go by|call me|surname(?: is|:)|username is|name on (?:it|the card|the account) is)[ ,:]{1,2}",
    re.I,
)
_WEAK = re.compile(
    r"(?<!\w)(?:this is|this's|i'm|i am|im|it's|its|speaking (?:with|to)|speak (?:with|to)|talking (?:with|to)"
    r"|talk to|is that|is this|hi|hiya|hello|hey"
    r"|heya|dear|thanks|thank you|cheers|morning|afternoon|evening|good day|named|called|regards|sorry|ask for"
    r"|asking for|welcome|ciao|bye"
    r"|kia ora|namaste|sawa|howzit|congratulations|congrats|okay|ok|right|yes|yeah|no|well|look|listen|sure|great"
    r"|perfect|lovely|got it|alright"
    r"|understood|of course|please|for|from|with|to|and|my (?:wife|husband|son|daughter|colleague|manager"
    r"|supervisor|partner|friend|sister|brother|boss))"
    r"(?:,? (?:there|again|sir|back|so much|it's|this is|ma'am))?[ ,:\-]{1,2}",
    re.I,
)
_INTRODUCED = re.compile(
    r"(?:this is|it's|its|i'm|i am|im|here is|name is|speaking to|speaking with|is that|is this|hi|hello|hey)$", re.I
)
_ADDRESSED = re.compile(
    r"(?:hi|hiya|hello|hey|heya|dear|thanks|thank you|cheers|morning|afternoon|evening|good day|sorry|welcome"
    r"|ciao|bye|kia ora|namaste|sawa|howzit"
    r"|congratulations|congrats|okay|ok|right|yes|yeah|no|well|look|listen|sure|great|perfect|lovely|got it"
    r"|alright|understood|of course|please)$",
    re.I,
)
_PERSON_CUE = re.compile(
    r"(?:speaking with|speaking to|speak with|speak to|talking to|talking with|talk to|named|ask for|asking for"
    r"|regards|"
    r"my (?:wife|husband|son|daughter|colleague|manager|supervisor|partner|friend|sister|brother|boss))$",
    re.I,
)
# Who says this of himself has just named himself.
_SELF = re.compile(r"(?:this is|my name is|i'm|i am)$", re.I)
_THING = re.compile(r"it'?s|is th(?:at|is)", re.I)
_GREETED = re.compile(r"(?:^|\W)(?:hi|hiya|hello|hey|heya|dear|morning|afternoon|evening)$", re.I)
_EVERYBODY = words_of("folks everyone everybody guys all team again lovely gorgeous hun hon honey pal friend")
_CALLS = re.compile(
    r" (?!and\b|just\b|only\b|still\b|not\b)([^\W\d_]+ )?(?:from|calling|with|at|here|on a|again"
    r"|speaking|@|over at)\b|@",
    re.I,
)
_ENDS = re.compile(r" ?(?:[,.!?;:\-\u2026]|$)")
_VOCATIVE = re.compile(
    r"(?<=[a-z\d%'], )([A-Z][a-z][a-z'\-]{1,14})(?=[.?!]|, (?:I|you|we|that|this|it|what|the"
    r"|can|do)\b)"
)
_SPELT = re.compile(r"(?<![\w'])[A-Za-z](?:[ ,.\-]{1,3}+[A-Za-z](?![\w'])){2,14}+")
_AS_IN = re.compile(
    r"(?<![\w'])[A-Za-z] (?:for|as in|like|is for) [^\W\d_]{2,12}(?:[ ,.]{1,3}(?:and )?[A-Za-z] "
    r"(?:for|as in|like|is for) [^\W\d_]{2,12})++",
    re.I,
)
_CONTRACTED = re.compile(r"'(?:s|m|d|ve|ll|re)$")
_IN_A_PLACE = re.compile(r"(?<!\w)(?:in|near|outside|around|at|across|@|the) $", re.I)
_SPELL_CUE = re.compile(r"\bspel", re.I)
_PARTICLES = words_of("van von de der den du da dos del di bin bint ibn al el la le mac o st ter")
_NOT_NAMES = words_of(
    "not on in at a an the just so calling speaking from with here sir madam ma'am and but or "
    "really very still only sorry "
    "okay fine good great happy your my our his her their to for of it is was be been again who what how why "
    "when where "
    "mr mrs ms mx dr prof professor doctor miss going gonna trying looking about all also right done there this "
    "that i you we they he she one me us"
)
_MOST_EXTENSION = 3
_ANSWER_WORDS = 9
_LONGEST_ACRONYM = 4
_SIGNS_BETWEEN = 8


class Words:
    """The words of a folded turn, and how it is written."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.matches = list(_WORD.finditer(text))
        self.low = [_CONTRACTED.sub("", match[0].lower()) for match in self.matches]
        self.cased = bool(_CAPITAL.search(text))
        self.starts = {match.start(): index for index, match in enumerate(self.matches)}

    def capital(self, index: int) -> bool:
        """Whether a word begins with a capital letter."""
        return self.matches[index][0][0].isupper()

    def end(self, index: int) -> int:
        """Where a word ends, without its `'s`."""
        return self.matches[index].start() + len(self.low[index])

    def between(self, index: int) -> str:
        """What stands between a word and the next one."""
        return self.text[self.matches[index].end() : self.matches[index + 1].start()]


def _extended(words: Words, first: int, names: Lexicon) -> int:
    """The index of the last word of a name that begins at `first`: family names, initials and particles after it."""
    last = first
    for index in range(first + 1, min(len(words.low), first + 1 + _MOST_EXTENSION)):
        if words.between(index - 1) not in (" ", ". ") or words.end(index - 1) < words.matches[index - 1].end():
            break
        if words.between(index - 1) == ". " and len(words.low[index - 1]) > 1:
            break
        low = words.low[index]
        if low in _PARTICLES and index + 1 < len(words.low):
            continue
        if words.cased:
            fits = (
                words.capital(index)
                and (not names.means_else(low) or (low in _SURNAME_WORDS))
                and low not in _NOT_NAMES
            )
        else:
            fits = low in names.family
        if not fits:
            break
        last = index
    return last


_SURNAME_WORDS = words_of(
    "brown young hall hill wood king baker cook white black green gray grey bell ward "
    "price rose bush stone banks carter lane grant hunter "
    "knight marsh mills moore page parks perry reed rice woods walker turner taylor cooper mason fox love long "
    "day west north field winter may june"
)


def _listed(words: Words, names: Lexicon) -> Iterator[tuple[int, int]]:
    for index, low in enumerate(words.low):
        if not (names.is_name(low) or ("-" in low and any(map(names.is_name, low.split("-"))))):
            continue
        word, start = words.matches[index][0], words.matches[index].start()
        acronym = words.cased and len(word) <= _LONGEST_ACRONYM and word.isupper()
        if not acronym and not _IN_A_PLACE.search(words.text, max(0, start - 10), start):
            yield index, _extended(words, index, names)


def _after_cue(words: Words, names: Lexicon) -> Iterator[tuple[int, int]]:
    text = words.text
    for match in _TITLE.finditer(text):
        index = words.starts.get(match.end())
        if index is None or words.low[index] in _NOT_NAMES:
            continue
        short = match[0].strip(". ").lower() in ("mr", "mrs", "ms", "dr")
        low = words.low[index]
        certain = short or not names.means_else(low) or (low in _SURNAME_WORDS and low not in names.never)
        if certain and (words.capital(index) if words.cased else (short or low in names.family)):
            yield index, _extended(words, index, names)
    for match in _STRONG.finditer(text):
        index = words.starts.get(match.end())
        if index is not None and words.low[index] not in _NOT_NAMES and (words.capital(index) or not words.cased):
            last = _extended(words, index, names)
            if last == index and not words.cased and index + 1 < len(words.low) and words.between(index) == " ":
                after = words.low[index + 1]
                if not names.means_else(after) and after not in _NOT_NAMES:
                    last = index + 1
            yield index, last
    for match in _WEAK.finditer(text):
        index = words.starts.get(match.end())
        if index is not None:
            last = _extended(words, index, names)
            cue = match[0].rstrip(" ,:-")
            if _fits_weak(words, index, last, cue, names):
                if _SELF.search(cue) and not words.cased and (more := _CALLS.match(text, words.end(last))) and more[1]:
                    last += 1
                yield index, last


def _fits_weak(words: Words, index: int, last: int, cue: str, names: Lexicon) -> bool:
    low, end = words.low[index], words.end(last)
    if names.means_else(low) or low in _NOT_NAMES or len(low) < 2:
        return False
    calls, ends = _CALLS.match(words.text, end), _ENDS.match(words.text, end)
    if not words.cased:
        greeted = low not in _EVERYBODY if _GREETED.search(cue) else _ADDRESSED.search(cue) and low in names.family
        return bool(greeted or (_SELF.search(cue) and calls))
    if not words.capital(index):
        return False
    if _PERSON_CUE.search(cue) or _SELF.search(cue):
        return True
    if _INTRODUCED.search(cue) and (calls or ends):
        return not _THING.match(cue) or low in names.family
    return bool(_ADDRESSED.search(cue) and ends)


def _vocative(words: Words, names: Lexicon) -> Iterator[tuple[int, int]]:
    if not words.cased:
        return
    for match in _VOCATIVE.finditer(words.text):
        index = words.starts.get(match.start(1))
        if index is not None and not names.means_else(words.low[index]) and words.low[index] not in _NOT_NAMES:
            yield index, index


def _answered(words: Words, names: Lexicon) -> Iterator[tuple[int, int]]:
    """The words of a short answer to a question for a name."""
    if len(words.low) > _ANSWER_WORDS:
        return
    for index, low in enumerate(words.low):
        if low in _NOT_NAMES or len(low) < 2:
            continue
        if words.cased and not words.capital(index):
            continue
        sure = low in names.family or names.is_name(low)
        if sure or not names.means_else(low) or (words.cased and index > 0 and low in _SURNAME_WORDS):
            yield index, index


def _spelt(text: str, names: Lexicon, asked: frozenset[str]) -> Iterator[tuple[int, int]]:
    cued = "name" in asked or bool(_SPELL_CUE.search(text))
    for match in _SPELT.finditer(text):
        letters = "".join(filter(str.isalpha, match[0])).lower()
        if names.is_name(letters) or letters in names.family or (cued and len(letters) > 2):
            yield match.span()
    for match in _AS_IN.finditer(text):
        yield match.span()


def names_in(text: str, asked: frozenset[str], names: Lexicon) -> list[Found]:
    """The names of a folded turn, as far as the turn and the questions before it tell."""
    words = Words(text)
    spans = [*_listed(words, names), *_after_cue(words, names), *_vocative(words, names)]
    if "name" in asked:
        spans += _answered(words, names)
    found = [Found(words.matches[first].start(), words.end(last), Kind.NAME) for first, last in spans]
    return found + [Found(start, end, Kind.NAME) for start, end in _spelt(text, names, asked)]


def parts_of(said: Iterable[str], labels: Iterable[str], names: Lexicon) -> tuple[frozenset[str], frozenset[str]]:
    """The words of names in lower case: those masked wherever they stand, and those only with a capital letter.

    `said` was found in turns; `labels` are speakers' and so names for certain.
    """
    everywhere: set[str] = set()
    capital: set[str] = set()
    for name, certain in [*((name, False) for name in said), *((name, True) for name in labels)]:
        for match in _WORD.finditer(name):
            low = _CONTRACTED.sub("", match[0].lower())
            if len(low) < 3 or low in _PARTICLES or low in _NOT_NAMES or low in names.never:
                continue
            sure = (
                names.is_name(low) or low in names.family or ((certain or name.islower()) and not names.means_else(low))
            )
            (everywhere if sure else capital).add(low)
    return frozenset(everywhere), frozenset(capital)


def again(text: str, everywhere: frozenset[str], capital: frozenset[str]) -> list[Found]:
    """Where words of names already known stand in a folded turn."""
    found = []
    for match in _WORD.finditer(text):
        low = match[0].lower()
        bare = _CONTRACTED.sub("", low)
        known = (
            bare in everywhere
            or low in everywhere
            or (bare in capital and match[0][0].isupper() and _inside(text, match))
        )
        if known:
            found.append(Found(match.start(), match.start() + len(bare), Kind.NAME))
    return found


def _inside(text: str, match: re.Match[str]) -> bool:
    """Whether a word stands within a sentence, so that its capital letter says something."""
    before = text[max(0, match.start() - _SIGNS_BETWEEN) : match.start()].rstrip()
    return bool(before) and before[-1] not in ".?!\u2026"

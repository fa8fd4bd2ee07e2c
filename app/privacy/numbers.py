"""Card numbers, telephone numbers, and the numbers of accounts, policies, orders and papers.

A long number is masked wherever it stands; a short one where words before it, or the question before it, say that it
is somebody's. Prices, shares, durations and counts stay. Google's telephone rules (`phonenumbers`) and the Luhn check
of ISO/IEC 7812-1 tell what kind a number is, not whether it is masked: a recogniser that mishears one digit of a card
has still written down most of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import phonenumbers

from app.privacy.kinds import Found, Kind
from app.privacy.spoken import ATOM, GAP, QUANTITY, TIMES, UNIT_AFTER, digits_of, hidden

# Where the corpus' conversations take place, and more of the places that answer in English.
REGIONS = ("GB", "US", "IN", "ZA", "KE", "NG", "IE", "NZ", "AU", "SG", "PH", "CA", "GH", "PK")
_FLAGS = re.IGNORECASE | re.ASCII
_LETTER = r"(?<![\w'])[A-Z](?![\w'])"
_ONE = re.compile(rf"{ATOM}|{_LETTER}", _FLAGS)
_RUN = re.compile(rf"(?:\+ ?)?(?:\((?=\d))?(?:{ATOM}|{_LETTER})(?:{GAP}(?:{ATOM}|{_LETTER}))*+", _FLAGS)
_MIXED = re.compile(r"(?<![\w\-/@.])(?=[A-Z]{0,8}[-/]?\d)[A-Z\d]++(?:[-/][A-Z\d]++){0,5}+(?![\w@])", _FLAGS)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d\d(?: ?[A-Z\d]{4}){3,7}(?: ?[A-Z\d]{1,3})?(?!\w)", re.ASCII)
_NOUN = (
    r"account|acct|a/c|policy|reference|ref|otp|pin|passcode|cvv|cvc|passport|ssn|social(?: security)?|aadhaa?r"
    r"|pan|iban"
    r"|meter|mpan|imei|serial|numbers?|no|num|card|registration|reg|rego|plate|nhs|ird|tfn|medicare|code|sort code"
    r"|routing|licen[cs]e|permit|phone|mobile|cell|tel|telephone|landline|whatsapp|m-?pesa|paybill|till|id|digits"
    r"|visa|mastercard|amex|debit|credit|(?:last|final|first) (?:four|4|three|3|six)(?: digits)?|booking|ticket"
    r"|claim|case"
    r"|(?:call|ring|text|reach|dial|whatsapp)(?: (?:me|us|him|her|them|back|you)){0,2}|order|invoice|application"
    r"|membership|member|customer|national insurance|ni"
)
_FILLER = (
    r"is|are|was|it's|its|that's|thats|ends?|ended|ending|starts?|starting|in|with|on|at|uh|um|er|erm|yeah|yes"
    r"|okay|ok"
    r"|again|here|there|of mine|please|for you|for me|number|no|code|id|ref|hash|the|would be|will be|should be"
    r"|called"
)
_CUE = re.compile(rf"(?<!\w)(?:{_NOUN})(?:'s)?[ :#,.\-\u2026]*(?:(?:{_FILLER})\b[ :#,.\-\u2026]*){{0,5}}$", _FLAGS)
_CUE_CHARACTERS = 60
_CARD = re.compile(r"\b(?:cards?|visa|mastercard|amex|debit|cvv|cvc)\b", _FLAGS)
_PHONE = re.compile(r"\b(?:phone|mobile|cell|tel|telephone|landline|whatsapp|call|ring|text|reach|contact)\b", _FLAGS)
_MONEY = re.compile(
    r"(?:\b(?:cost|costs|price|pay|paying|paid|charge|charged|for|only|just|gave|give|was|from|at"
    r"|came to|comes to|down to|up to|of|makes)|(?:hundred|thousand|lakhs?|million|crores?|point|dollars"
    r"|pounds|rupees|rand|plus|minus|times)(?: and)?),? $",
    _FLAGS,
)
# British and Canadian ones, and Irish ones with a letter at either end, spelled out.
_POSTCODE = re.compile(r"L{1,2}D{1,2}L?DLL|LDLDLD|LDD[LD]{3}L")
_POSTCODE_CUE = re.compile(r"\b(?:post ?code|postal code|eircode|zip)\b[^.?!]{0,16}$", _FLAGS)
_YEAR = re.compile(r"(?:19|20)\d\d")
_TIMES = tuple(TIMES.split("|"))
_PHONE_DIGITS = range(7, 16)
_CARD_DIGITS = range(13, 20)
# A number nobody announced is masked from these many digits on.
_ALONE, _ALONE_SPOKEN = 9, 6
_CUED, _CUED_CODE = 4, 3
_SHORT_ANSWER = 30
# The groups of social security numbers, of identity cards and of North American telephones.
_GROUPS = ([3, 2, 4], [4, 4, 4], [3, 3, 4], [3, 4])
_CODE = re.compile(r"(?:cv[vc]|pin|otp|security code)\W", _FLAGS)


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1)."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0


def dials(written: str) -> bool:
    """Whether it is a valid telephone number in one of `REGIONS`, or anywhere if it begins with `+`."""
    for region in (None,) if written.startswith("+") else REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(written, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


@dataclass(frozen=True, slots=True)
class _Part:
    """One piece of a run: its place, its digits (none of a letter), and whether they are written or said one by one."""

    start: int
    end: int
    digits: str
    letter: bool
    written: bool
    single: bool


def _parts(text: str, start: int, end: int) -> list[_Part]:
    parts = []
    for match in _ONE.finditer(text, start, end):
        said = match[0]
        letter = len(said) == 1 and said.isalpha() and said not in "oO"
        digits = "" if letter else digits_of(said)
        single = len(digits) == 1 or said.lower().startswith(_TIMES)
        parts.append(_Part(match.start(), match.end(), digits, letter, said[0].isdigit(), single))
    return parts


def _pieces(text: str, parts: Sequence[_Part]) -> Iterator[list[_Part]]:
    """Runs broken where a sentence ends between written numbers, and freed of `a` and `I` at their ends."""
    piece: list[_Part] = []
    for part in parts:
        between = text[piece[-1].end : part.start] if piece else ""
        if piece and (". " in between or ", " in between) and piece[-1].written and part.written:
            yield piece
            piece = []
        piece.append(part)
    yield piece


def _trimmed(text: str, piece: list[_Part]) -> list[_Part]:
    low, high = 0, len(piece)
    while low < high and piece[low].letter and text[piece[low].start] in "aAiI":
        low += 1
    while low < high and piece[high - 1].letter and text[piece[high - 1].start] in "aAiI":
        high -= 1
    return piece[low:high]


@dataclass(frozen=True, slots=True)
class _Run:
    """A number as it is written or said: its place, its parts, and what stands around it."""

    start: int
    end: int
    parts: Sequence[_Part]
    digits: str
    written: str
    before: str
    counted: bool

    @classmethod
    def of(cls, text: str, parts: Sequence[_Part]) -> _Run:
        """The run of some parts of a text, with the sign or bracket that opens it."""
        start, end = parts[0].start, parts[-1].end
        if start and text[start - 1] == "(":
            start -= 1
        before = text[max(0, start - _CUE_CHARACTERS) : start]
        if before.rstrip().endswith("+"):
            start -= len(before) - len(before.rstrip()) + 1
        digits = "".join(part.digits for part in parts)
        counted = bool(UNIT_AFTER.match(text, end) or _MONEY.search(before))
        return cls(start, end, parts, digits, text[start:end], before, counted)

    @property
    def cue(self) -> re.Match[str] | None:
        """The words just before that announce a number."""
        return _CUE.search(self.before)

    @property
    def is_written(self) -> bool:
        """Whether all of it is in figures."""
        return all(part.written for part in self.parts)

    @property
    def one_by_one(self) -> bool:
        """Whether its digits are said one by one; `two ninety` and `eleven forty` are prices as often as not."""
        return all(part.single or part.written for part in self.parts)

    @property
    def card_length(self) -> bool:
        """Whether it is as long as a card number."""
        return len(self.digits) in _CARD_DIGITS


def _is_phone(run: _Run, asked: frozenset[str]) -> bool:
    # Announced as the number of something else than a telephone.
    cue = run.cue
    if len(run.digits) not in _PHONE_DIGITS or (cue and not _PHONE.search(run.before[cue.start() :])):
        return run.written.startswith("+")
    named = "phone" in asked or _PHONE.search(run.before) or run.written.startswith("+")
    return bool(named) or (not asked & {"number", "card"} and dials(run.digits))


def _kind(run: _Run, asked: frozenset[str]) -> Kind:
    of_card = bool(_CARD.search(run.before))
    if run.card_length and (luhn(run.digits) or of_card or "card" in asked):
        return Kind.CARD
    if _is_phone(run, asked):
        return Kind.PHONE
    by_fours = run.card_length and all(len(group) == 4 for group in re.findall(r"\d+", run.written)[:3])
    if by_fours or of_card or ("card" in asked and not run.cue):
        return Kind.CARD
    return Kind.NUMBER


def _alone_written(run: _Run) -> bool:
    """Whether figures that nobody announced are somebody's number by their shape."""
    digits, groups = run.digits, [len(part.digits) for part in run.parts]
    if len(groups) == 1:
        return len(digits) >= _PHONE_DIGITS.start and not (run.counted and len(digits) < _ALONE)
    return (
        "+" in run.written
        or (digits[0] == "0" and len(digits) >= _ALONE)
        or (run.card_length and (luhn(digits) or groups[:3] == [4, 4, 4]))
        or (groups in _GROUPS and not run.counted)
        or (len(digits) in _PHONE_DIGITS and len(digits) >= _ALONE and dials(digits))
    )


def _alone_spoken(run: _Run) -> bool:
    if run.counted:
        return len(run.digits) > _ALONE
    return len(run.digits) >= (_ALONE_SPOKEN if run.one_by_one else _ALONE - 1)


def _with_letters(run: _Run, asked: frozenset[str]) -> Kind | None:
    """The kind of a registration, a reference or a postcode that is spelled out, if it is one."""
    if run.counted:
        return None
    shape = "".join("L" if part.letter else "D" * len(part.digits) for part in run.parts)
    if _POSTCODE.fullmatch(shape) or (_POSTCODE_CUE.search(run.before) and len(run.parts) >= _CUED):
        return Kind.ADDRESS
    known = run.cue or asked & {"number", "card", "phone", "postcode"}
    long = len(run.digits) >= _CUED_CODE and shape.count("L") >= 2 and len(run.parts) > _CUED
    if not long and not (known and len(run.parts) >= _CUED):
        return None
    return Kind.ADDRESS if "postcode" in asked and not run.cue else _kind(run, asked)


def _announced(run: _Run, asked: frozenset[str], alone: bool) -> bool:
    """Whether the words before it or a question say that it is somebody's; `alone`: it is most of its turn."""
    cued = run.cue is not None
    if run.counted or not (cued or asked & {"number", "card", "phone", "code"}):
        return False
    if not run.one_by_one:
        needed = _CUED if cued and len(run.parts) > 2 else _ALONE_SPOKEN
    elif _CODE.search(run.before[-30:]) or ("code" in asked and alone):
        needed = _CUED_CODE
    else:
        needed = _CUED
    year = len(run.parts) <= 2 and _YEAR.fullmatch(run.digits)
    amount = run.digits.endswith("00") and len(run.digits) <= 5 and run.is_written and run.digits[0] != "0"
    return len(run.digits) >= needed and (cued or not (year or amount))


def _of_run(text: str, parts: Sequence[_Part], asked: frozenset[str]) -> Found | None:
    run = _Run.of(text, parts)
    if len(run.digits) < 2:
        return None
    if any(part.letter for part in parts):
        kind = _with_letters(run, asked)
    elif _announced(run, asked, len(text) <= _SHORT_ANSWER) or (_alone_written if run.is_written else _alone_spoken)(
        run
    ):
        kind = _kind(run, asked)
    else:
        kind = None
    return Found(run.start, run.end, kind) if kind else None


def numbers(text: str, asked: frozenset[str]) -> list[Found]:
    """The numbers of a turn that are somebody's.

    Args:
        text: folded.
        asked: what the turns before asked for, as `app.privacy.asking` names it.
    """
    found = [Found(*match.span(), Kind.NUMBER) for match in _IBAN.finditer(text)]
    plain = hidden(hidden(text, _IBAN), QUANTITY)
    for match in _RUN.finditer(plain):
        for piece in _pieces(plain, _parts(plain, *match.span())):
            trimmed = _trimmed(plain, piece)
            if trimmed and (one := _of_run(plain, trimmed, asked)):
                found.append(one)
            elif trimmed and any(part.letter for part in trimmed):
                digits = [part for part in trimmed if not part.letter]
                if digits and (one := _of_run(plain, digits, asked)):
                    found.append(one)
    for match in _MIXED.finditer(plain):
        said = match[0]
        count, letters = sum(map(str.isdigit, said)), sum(map(str.isalpha, said))
        before = plain[max(0, match.start() - _CUE_CHARACTERS) : match.start()]
        known = bool(_CUE.search(before)) or "number" in asked
        if letters and (count >= 5 or (count >= 4 and len(said) >= 8) or (known and count >= 2 and len(said) >= 4)):
            found.append(Found(*match.span(), Kind.NUMBER))
    return found

"""What a turn asks for, such as `And your date of birth?`, so that a bare answer to it is known for what it is."""

from __future__ import annotations

import re

_FLAGS = re.IGNORECASE | re.ASCII
_TOPICS = {
    "birth": r"date of birth|d\.?o\.?b\b|\bbirth ?(?:day|date)\b|when (?:were|was) \w+ born|year of birth",
    "address": r"(?:your|the|his|her|their|home|postal|full|current|new|old|billing|property|delivery"
    r"|installation|change of) address"
    r"|\baddress(?:$|\?| please| for| on| again| is| to)|where (?:do|are) you liv|which (?:street|house|flat)"
    r"|house number|what street"
    r"|where (?:should|do) we (?:send|ship|deliver)|(?:deliver|ship) (?:it )?to|street name",
    "postcode": r"post ?code|\bzip\b|pin ?code|eircode|postal code",
    "email": r"e-?mail",
    "phone": r"(?:phone|mobile|cell|contact|telephone|whatsapp|callback|best) (?:phone )?(?:number|no\b)|number "
    r"(?:to|can|should|we)"
    r"|\bphone\b|\bmobile\b|reach you",
    "card": r"\bcard\b|long number|sixteen digit|16.digit",
    "code": r"\bcv[vc]\b|security code|\botp\b|\bpin\b|three digits|last three|passcode|on the back",
    "number": r"\bnumber\b|\bnumbers\b|\bdigits\b|\breference\b|\bref\b|sort code|passport|aadhaa?r|\bpan\b|\bssn\b"
    r"|social security|last four|national insurance|licen[cs]e|registration|\brego?\b|number plate|routing|\bid\b"
    r"|account no",
    "name": r"(?:full|your|first|last|the|sur|maiden|middle|good|family|given|whose|their|his|her) ?name"
    r"|who am i (?:speaking|talking)|who's (?:calling|speaking|this)|whos (?:calling|speaking|this)|who is "
    r"(?:calling|this|speaking)"
    r"|(?:speaking|talking) (?:to|with)\W*$|name (?:please|and|on|under|for)|\bspell\b|^name\b",
}
_PATTERNS = {topic: re.compile(pattern, _FLAGS) for topic, pattern in _TOPICS.items()}
_ANY = re.compile("|".join(_TOPICS.values()), _FLAGS)
_REQUEST = re.compile(
    r"\?|\b(?:can i|could i|may i|can you|could you|would you|please|pls|give|what|whats|share|confirm|tell|read"
    r"|verify"
    r"|need|take|have|got|send|type|enter|provide|go ahead|which|who|whom|spell)\b",
    _FLAGS,
)
# A shorter turn needs no word of asking: `And the account number.`
_SHORT_CHARACTERS = 60
# A turn that holds a number and asks nothing tells it.
_TELLS = re.compile(r"(?:\d\D{0,3}){6}")


def asked_in(text: str) -> frozenset[str]:
    """The topics that a turn asks for: birth, address, postcode, email, phone, card, code, number, name."""
    if not _ANY.search(text) or (len(text) > _SHORT_CHARACTERS and not _REQUEST.search(text)):
        return frozenset()
    if "?" not in text and _TELLS.search(text):
        return frozenset()
    return frozenset(topic for topic, pattern in _PATTERNS.items() if pattern.search(text))

"""Whether what one side said can be judged at all: enough of it, in English, and not damaged.

Three codes stand in place of a score. `text_too_damaged`: over half of the words are marks of
redaction, letters on their own, or no words. `too_little_said`: fewer than three words.
`language_not_english`: more words of other languages than of English, or hardly an English one among
many. The languages are known by their commonest words and by their script, which is enough for a
whole side of a call and forgives what a detector of languages does not: names, addresses, numbers,
and a `haan ji` or an `opo` in an English sentence. Only what speaks against English counts against
it; a few words that no list knows are scored.

Read on folded text (`app.core.text`), where accents and look-alikes are gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from app.core.common_words import ENGLISH, FOREIGN
from app.core.text import REDACTED

FEWEST_WORDS = 3
# With fewer different words, none of which is known, it may be an address or a list of names.
_ENOUGH_DIFFERENT_WORDS = 14
# Of what English callers say, half and more are words below; of other languages, one in fifty.
_LEAST_ENGLISH = 0.08
_FEWEST_FOREIGN = 2
_LETTERS_OF_A_WORD = 5
_LETTERS_OF_AN_IDEOGRAPHIC_WORD = 2
_LAST_LATIN, _FIRST_IDEOGRAPHIC = "\u024f", "\u2e80"
_PUNCTUATION = ".,;:!?'\"()[]{}-/*_…"
# Said or typed as words of their own.
_LONE_LETTERS = frozenset("aeikournyx")
_VOWELS = frozenset("aeiouy")
_SHORTEST_WITHOUT_VOWEL = 4
# Typed sounds and well-known short forms: hmm, shhh, grr, brb, pls, mth.
_SOUNDS = frozenset("hmgrszpt")
_UNREAD = "\ufffd"
_ENGLISH_ENDINGS = ("n't", "'s", "'m", "'re", "'ve", "'ll", "'d")


class Unreadable(StrEnum):
    """Why what one side said is not scored; the values are the codes of an answer."""

    LANGUAGE_NOT_ENGLISH = "language_not_english"
    TOO_LITTLE_SAID = "too_little_said"
    TEXT_TOO_DAMAGED = "text_too_damaged"


def unreadable(texts: Iterable[str]) -> Unreadable | None:
    """Why one side cannot be judged, if it cannot.

    Args:
        texts: that side's turns, folded.
    """
    words = damaged = english = foreign = plain = 0.0
    different = 0
    for token, count in Counter(" ".join(texts).split()).items():
        spelled = token.strip(_PUNCTUATION)
        word = spelled.lower()
        if word in ENGLISH or word.endswith(_ENGLISH_ENDINGS):
            words += count
            english += count
            plain += count
            different += 1
        elif spelled == REDACTED or _UNREAD in token:
            damaged += count
        elif not any(map(str.isalnum, spelled)):
            continue
        elif other := 0.0 if spelled.isascii() else _words_of_other_scripts(spelled):
            words += other * count
            foreign += other * count
        elif word.isalpha() and _is_no_word(word):
            damaged += count
        else:
            words += count
            foreign += count if word in FOREIGN else 0
            # A capital may open a name; digits are of every language.
            if spelled[0].islower():
                plain += count
                different += 1
    if damaged > words and damaged + words >= FEWEST_WORDS:
        return Unreadable.TEXT_TOO_DAMAGED
    if words < FEWEST_WORDS:
        return Unreadable.TOO_LITTLE_SAID
    if foreign >= _FEWEST_FOREIGN and foreign > english:
        return Unreadable.LANGUAGE_NOT_ENGLISH
    if different >= _ENOUGH_DIFFERENT_WORDS and english < _LEAST_ENGLISH * plain:
        return Unreadable.LANGUAGE_NOT_ENGLISH
    return None


def _words_of_other_scripts(token: str) -> float:
    """How many words the letters beyond Latin make, in scripts with and without spaces."""
    other = [character for character in token if character > _LAST_LATIN and character.isalpha()]
    ideographic = sum(character >= _FIRST_IDEOGRAPHIC for character in other)
    return ideographic / _LETTERS_OF_AN_IDEOGRAPHIC_WORD + (len(other) - ideographic) / _LETTERS_OF_A_WORD


def _is_no_word(word: str) -> bool:
    """A letter on its own, or letters that nobody can say; `word` is lower-case letters."""
    if len(word) == 1:
        return word.isascii() and word not in _LONE_LETTERS
    letters = set(word)
    return len(word) >= _SHORTEST_WITHOUT_VOWEL and word.isascii() and not letters & _VOWELS and not letters <= _SOUNDS

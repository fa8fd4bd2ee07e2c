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


class Legibility:
    """What one side has said so far, counted; turns can be added and taken away again.

    Counts are whole numbers, so that taking a turn away leaves exactly what was there before it.
    """

    __slots__ = ("_damaged", "_english", "_foreign", "_ideographs", "_letters", "_lower", "_plain", "_words")

    def __init__(self) -> None:
        self._words = self._damaged = self._english = self._foreign = self._plain = 0
        # Letters of other scripts, which make words and foreign ones both.
        self._ideographs = self._letters = 0
        # How often each English or uncapitalised word was said.
        self._lower: Counter[str] = Counter()

    def copy(self) -> Legibility:
        """One that goes its own way."""
        other = Legibility()
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        other._lower = self._lower.copy()
        return other

    def add(self, text: str, times: int = 1) -> None:
        """Count a folded turn; with `times` -1, take it away again."""
        for token in text.split():
            spelled = token.strip(_PUNCTUATION)
            word = spelled.lower()
            if word in ENGLISH or word.endswith(_ENGLISH_ENDINGS):
                self._words += times
                self._english += times
                self._plain += times
                self._count(token, times)
            elif spelled == REDACTED or _UNREAD in token:
                self._damaged += times
            elif not any(map(str.isalnum, spelled)):
                continue
            elif not spelled.isascii() and (other := _letters_of_other_scripts(spelled)) != (0, 0):
                self._ideographs += times * other[0]
                self._letters += times * other[1]
            elif word.isalpha() and _is_no_word(word):
                self._damaged += times
            else:
                self._words += times
                self._foreign += times if word in FOREIGN else 0
                # A capital may open a name; digits are of every language.
                if spelled[0].islower():
                    self._plain += times
                    self._count(token, times)

    def _count(self, token: str, times: int) -> None:
        self._lower[token] += times
        if not self._lower[token]:
            del self._lower[token]

    @property
    def reason(self) -> Unreadable | None:
        """Why this side cannot be judged, if it cannot."""
        of_other_scripts = self._ideographs / _LETTERS_OF_AN_IDEOGRAPHIC_WORD + self._letters / _LETTERS_OF_A_WORD
        words, foreign = self._words + of_other_scripts, self._foreign + of_other_scripts
        if self._damaged > words and self._damaged + words >= FEWEST_WORDS:
            return Unreadable.TEXT_TOO_DAMAGED
        if words < FEWEST_WORDS:
            return Unreadable.TOO_LITTLE_SAID
        if foreign >= _FEWEST_FOREIGN and foreign > self._english:
            return Unreadable.LANGUAGE_NOT_ENGLISH
        if len(self._lower) >= _ENOUGH_DIFFERENT_WORDS and self._english < _LEAST_ENGLISH * self._plain:
            return Unreadable.LANGUAGE_NOT_ENGLISH
        return None


def unreadable(texts: Iterable[str]) -> Unreadable | None:
    """Why one side cannot be judged, if it cannot.

    Args:
        texts: that side's turns, folded.
    """
    side = Legibility()
    for text in texts:
        side.add(text)
    return side.reason


def _letters_of_other_scripts(token: str) -> tuple[int, int]:
    """How many letters beyond Latin there are, of scripts without and with spaces."""
    other = [character for character in token if character > _LAST_LATIN and character.isalpha()]
    ideographic = sum(character >= _FIRST_IDEOGRAPHIC for character in other)
    return ideographic, len(other) - ideographic


def _is_no_word(word: str) -> bool:
    """A letter on its own, or letters that nobody can say; `word` is lower-case letters."""
    if len(word) == 1:
        return word.isascii() and word not in _LONE_LETTERS
    letters = set(word)
    return len(word) >= _SHORTEST_WITHOUT_VOWEL and word.isascii() and not letters & _VOWELS and not letters <= _SOUNDS

"""Unicode folding before tokenising, with a way back to the caller's characters.

Words are disguised by characters that a reader does not see or does not tell apart: zero-width and
bidirectional marks, soft hyphens, full-width forms, Cyrillic and Greek look-alikes. `clean` undoes
these, and typographic quotes and dashes with them, so that the tokenizer meets plain words. It is
total on any `str`, lone surrogates included, and remembers for each character where it came from.
Folding follows Unicode NFKC (UAX #15); the look-alikes are a small part of UTS #39's confusables.

Letters written as digits (`gu4r4nt33d`) and spelled out one by one (`f-r-e-e`) are read as the words.
Recognisers and redactors leave marks in place of names and numbers, each vendor its own: `[PII]`,
`<PERSON_NAME>`, `{{DATE}}`, `####`. All become one mark, so that a score does not hang on whose they are.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_QUOTES_AND_DASHES = {
    **dict.fromkeys("‘’‚‛′ʼ＇`´", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
}
_LOOK_ALIKES = dict(
    zip(
        "аеорсухіјѕԁһӏɡԛԝѵАВЕКМНОРСТХІЈЅУΑΒΕΖΗΙΚΜΝΟΡΤΥΧαοριντυχκ",
        "aeopcyxijsdhlgqwvABEKMHOPCTXIJSYABEZHIKMNOPTYXaopivtuxk",
        strict=True,
    )
)
_FOLDED = {**_QUOTES_AND_DASHES, **_LOOK_ALIKES}
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me"})
# In no mark itself, so that folding twice changes nothing more.
REDACTED = "~"
_DIGIT_LETTERS = dict(zip("431057@$", "aeiostas", strict=True))
# Digits and signs for letters inside a word; `24h`, `b2b` and `office365` are none.
_DISGUISED = re.compile(r"(?<![\w@$])[A-Za-z]+(?:[431057@$]{1,2}[A-Za-z]+){1,8}(?![\w@$]|\.\w)")
_SPELLED = re.compile(r"(?<![\w'])[A-Za-z]([ .\-_*])[A-Za-z](?:\1[A-Za-z]){2,30}(?![\w'])")
_SHORTEST_DISGUISE = 4
_TAG = r"(?:[A-Z][A-Z0-9]+(?:[ _-][A-Z0-9]+){0,4}|redacted|masked)"
# Lengths are bounded so that no text takes more than a time that grows with it.
_REDACTION = re.compile(
    rf"\[{{1,2}}{_TAG}\]{{1,2}}|<{{1,2}}{_TAG}>{{1,2}}|\{{{{1,2}}{_TAG}\}}{{1,2}}"
    r"|(?<![\w#*])(?:#{2,40}|\*{3,40}|[xX]{4,40})(?![\w#*])"
)


@dataclass(frozen=True, slots=True)
class CleanText:
    """Folded text; character i of it stands for `original[origins[i]:ends[i]]`."""

    text: str
    origins: tuple[int, ...]
    ends: tuple[int, ...]

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original, in code points, that text[start:end] stands for; start < end."""
        return self.origins[start], self.ends[end - 1]


def _fold(character: str) -> str:
    if character.isspace():
        return " "
    if character in _FOLDED:
        return _FOLDED[character]
    if character.isascii():
        return character if character.isprintable() else ""
    folded = unicodedata.normalize("NFKC", character)
    decomposed = unicodedata.normalize("NFD", folded)
    kept = "".join(c for c in decomposed if unicodedata.category(c) not in _DROPPED_CATEGORIES)
    return "".join(_FOLDED.get(c, c) for c in kept)


def redactions(text: str) -> list[tuple[int, int]]:
    """Where marks stand in place of what was taken out, as spans in code points."""
    return [match.span() for match in _REDACTION.finditer(text)]


def _spell(text: str) -> list[tuple[int, int, list[int]]]:
    """Where letters are spelled out, and which characters stay."""
    return [
        (match.start(), match.end(), list(range(match.start(), match.end(), 2))) for match in _SPELLED.finditer(text)
    ]


def _without(folded: CleanText, cuts: list[tuple[int, int, list[int]]]) -> CleanText:
    """The text with only some characters of some stretches: (start, end, those that stay)."""
    kept: list[int] = []
    done = 0
    for start, end, stay in cuts:
        kept += [*range(done, start), *stay]
        done = end
    kept += range(done, len(folded.text))
    return CleanText(
        "".join(folded.text[i] for i in kept),
        tuple(folded.origins[i] for i in kept),
        tuple(folded.ends[i] for i in kept),
    )


def _undisguise(word: re.Match[str]) -> str:
    if len(word[0]) < _SHORTEST_DISGUISE:
        return word[0]
    return "".join(_DIGIT_LETTERS.get(character, character) for character in word[0])


def _read(folded: CleanText) -> CleanText:
    """Folded characters as words: spelled ones joined, disguised ones undone, redactions as one mark each."""
    if spelled := _spell(folded.text):
        folded = _without(folded, spelled)
    if any(sign in folded.text for sign in _DIGIT_LETTERS):
        folded = CleanText(_DISGUISED.sub(_undisguise, folded.text), folded.origins, folded.ends)
    if marks := redactions(folded.text):
        ends = list(folded.ends)
        characters = list(folded.text)
        for start, end in marks:
            characters[start], ends[start] = REDACTED, folded.ends[end - 1]
        marked = CleanText("".join(characters), folded.origins, tuple(ends))
        folded = _without(marked, [(start, end, [start]) for start, end in marks])
    return folded


def fold(original: str) -> CleanText:
    """Fold the characters of any string, and leave its words as they are; never raises."""
    if original.isascii() and original.isprintable() and "`" not in original:
        length = len(original)
        return CleanText(original, tuple(range(length)), tuple(range(1, length + 1)))
    characters: list[str] = []
    origins: list[int] = []
    for position, character in enumerate(original):
        folded = _fold(character)
        characters.append(folded)
        origins.extend([position] * len(folded))
    return CleanText("".join(characters), tuple(origins), tuple(o + 1 for o in origins))


def clean(original: str) -> CleanText:
    """Fold any string and read its words; never raises. An all-invisible string gives an empty text."""
    return _read(fold(original))

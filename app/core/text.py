"""Unicode folding before tokenising, with a way back to the caller's characters.

Words are disguised by characters that a reader does not see or does not tell apart: zero-width and
bidirectional marks, soft hyphens, full-width forms, Cyrillic and Greek look-alikes. `clean` undoes
these, and typographic quotes and dashes with them, so that the tokenizer meets plain words. It is
total on any `str`, lone surrogates included, and remembers for each character where it came from.
Folding follows Unicode NFKC (UAX #15); the look-alikes are a small part of UTS #39's confusables.

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


def _without_marks(folded: CleanText) -> CleanText:
    """The text with each mark of a redaction as one `REDACTED`."""
    spans = redactions(folded.text)
    if not spans:
        return folded
    text: list[str] = []
    origins: list[int] = []
    ends: list[int] = []
    done = 0
    for start, end in [*spans, (len(folded.text), len(folded.text))]:
        text.append(folded.text[done:start])
        origins.extend(folded.origins[done:start])
        ends.extend(folded.ends[done:start])
        if start < end:
            text.append(REDACTED)
            origins.append(folded.origins[start])
            ends.append(folded.ends[end - 1])
        done = end
    return CleanText("".join(text), tuple(origins), tuple(ends))


def clean(original: str) -> CleanText:
    """Fold any string; never raises. An all-invisible string gives an empty text."""
    if original.isascii() and original.isprintable() and "`" not in original:
        length = len(original)
        return _without_marks(CleanText(original, tuple(range(length)), tuple(range(1, length + 1))))
    characters: list[str] = []
    origins: list[int] = []
    for position, character in enumerate(original):
        folded = _fold(character)
        characters.append(folded)
        origins.extend([position] * len(folded))
    return _without_marks(CleanText("".join(characters), tuple(origins), tuple(o + 1 for o in origins)))

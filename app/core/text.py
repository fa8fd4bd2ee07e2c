"""Unicode folding before tokenising, with a way back to the caller's characters.

Words are disguised by characters that a reader does not see or does not tell apart: zero-width and
bidirectional marks, soft hyphens, full-width forms, Cyrillic and Greek look-alikes. `clean` undoes
these, and typographic quotes and dashes with them, so that the tokenizer meets plain words. It is
total on any `str`, lone surrogates included, and remembers for each character where it came from.
Folding follows Unicode NFKC (UAX #15); the look-alikes are a small part of UTS #39's confusables.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class CleanText:
    """Folded text; character i of it came from `original[origins[i]]`.

    `origins` has one entry more than `text`: the length of the original.
    """

    text: str
    origins: tuple[int, ...]

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original, in code points, that text[start:end] stands for; start < end."""
        return self.origins[start], self.origins[end - 1] + 1


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


def clean(original: str) -> CleanText:
    """Fold any string; never raises. An all-invisible string gives an empty text."""
    if original.isascii() and original.isprintable() and "`" not in original:
        return CleanText(original, tuple(range(len(original) + 1)))
    characters: list[str] = []
    origins: list[int] = []
    for position, character in enumerate(original):
        folded = _fold(character)
        characters.append(folded)
        origins.extend([position] * len(folded))
    origins.append(len(original))
    return CleanText("".join(characters), tuple(origins))

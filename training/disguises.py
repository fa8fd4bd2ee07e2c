"""Whether flagged turns stay flagged when the seller disguises the words.

Of agent turns flagged in the clean text, the share still flagged once every agent turn is written with characters
that a reader does not see or does not tell apart, with digits for letters, with slips of the pen, or with the words
of evidence spelled out. The letters are chosen without looking at what `app.core.text` folds.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.core.conversation import Role
from app.core.labels import MIS_SELLING, names
from app.core.scores import ConversationScore
from app.core.turn_scores import TurnScore
from training.corpus import LabelledConversation
from training.rescoring import FLAGGED_FROM, Bench, Change, changed, flagged, risk_of, sample, until, with_texts

_CONTENT = re.compile(r"[A-Za-z]{4,}")
_SPELLABLE = re.compile(r"[A-Za-z]{3,}")
_AGENT = frozenset({Role.AGENT})
_MIS_SELLING = frozenset(names(MIS_SELLING))
TYPO_RATE = 1 / 6
TARGETS = {
    "invisible": 0.98,
    "combining": 0.98,
    "full-width": 0.98,
    "look-alike": 0.93,
    "l33t": 0.85,
    "typos": 0.85,
    "spelled": None,
}

_CYRILLIC = dict(
    zip(
        "aceopxyijsdhlqwABEKMHOPCTX",
        "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0458\u0455\u0501\u04bb\u04cf\u051b\u051d"
        "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425",
        strict=True,
    )
)
_GREEK = dict(
    zip(
        "aeiknoptuvxyABEZHIKMNOPTYX",
        "\u03b1\u03b5\u03b9\u03ba\u03b7\u03bf\u03c1\u03c4\u03c5\u03bd\u03c7\u03b3"
        "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
        strict=True,
    )
)
# Armenian, small capitals and other Latin letters that few lists of look-alikes hold.
_RARE = dict(
    zip(
        "aceghinorsuvwz",
        "\u0251\u1d04\u1d07\u0261\u0570\u0131\u0578\u0585\u0280\ua731\u057d\u1d20\u1d21\u1d22",
        strict=True,
    )
)
_LEET = {
    "digits, all letters that have one": dict(zip("aeiost", "431057", strict=True)),
    "signs and digits": dict(zip("aeios", "@310$", strict=True)),
    "rarer digits and signs": dict(zip("abegilost", "48361|0$7", strict=True)),
}


@dataclass(frozen=True, slots=True)
class Disguise:
    """A way to write words otherwise; `change` gets a turn's text."""

    name: str
    family: str
    change: Change


def _in_words(letter: Change) -> Change:
    """A change of each content word, by what it puts for a letter."""

    def change(text: str, rng: random.Random) -> str:
        return _CONTENT.sub(lambda match: "".join(letter(character, rng) for character in match[0]), text)

    return change


def _after(marks: str) -> Change:
    """Each letter followed by one of some marks."""
    return _in_words(lambda letter, rng: letter + rng.choice(marks))


def _table(table: dict[str, str]) -> Change:
    return _in_words(lambda letter, _: table.get(letter, letter))


def _one_digit(text: str, rng: random.Random) -> str:
    """One letter of each content word as a digit, where one has a digit."""
    table = _LEET["digits, all letters that have one"]

    def change(match: re.Match[str]) -> str:
        word = match[0]
        places = [place for place, letter in enumerate(word) if letter in table]
        if not places:
            return word
        at = rng.choice(places)
        return word[:at] + table[word[at]] + word[at + 1 :]

    return _CONTENT.sub(change, text)


def _full_width(letter: str, _: random.Random) -> str:
    return chr(ord(letter) + 0xFEE0)


def _swapped(text: str, rng: random.Random) -> str:
    """Letters of content words changed with the next one, one in six."""

    def change(match: re.Match[str]) -> str:
        letters = list(match[0])
        at = 0
        while at < len(letters) - 1:
            if rng.random() < TYPO_RATE:
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
                at += 1
            at += 1
        return "".join(letters)

    return _CONTENT.sub(change, text)


def _slips(put: str) -> Change:
    """One letter in six of content words left out (empty) or doubled."""
    return _in_words(lambda letter, rng: put.format(letter) if rng.random() < TYPO_RATE else letter)


DISGUISES = (
    Disguise("zero-width characters", "invisible", _after("\u200b\u200c\u200d\u2060\ufeff")),
    Disguise("bidirectional marks", "invisible", _after("\u200e\u200f\u202a\u202c\u2066\u2069")),
    Disguise("soft hyphens", "invisible", _after("\u00ad")),
    Disguise("combining marks", "combining", _after("\u0301\u0308\u0323\u0332")),
    Disguise("full-width letters", "full-width", _in_words(_full_width)),
    Disguise("Cyrillic letters", "look-alike", _table(_CYRILLIC)),
    Disguise("Greek letters", "look-alike", _table(_GREEK)),
    Disguise("Armenian and rare Latin letters", "look-alike", _table(_RARE)),
    *(Disguise(f"l33t: {name}", "l33t", _table(table)) for name, table in _LEET.items()),
    Disguise("l33t: one digit a word", "l33t", _one_digit),
    Disguise("typos: letters swapped", "typos", _swapped),
    Disguise("typos: letters dropped", "typos", _slips("")),
    Disguise("typos: letters doubled", "typos", _slips("{0}{0}")),
)
SPELLED = {"hyphens": "-", "blanks": " ", "dots": "."}


def spelled(text: str, spans: Sequence[tuple[int, int]], separator: str) -> str:
    """The text with words that lie in some spans spelled out; others stay."""

    def change(match: re.Match[str]) -> str:
        inside = any(start < match.end() and match.start() < end for start, end in spans)
        return separator.join(match[0]) if inside else match[0]

    return _SPELLABLE.sub(change, text)


def evidence_of(turn: TurnScore) -> list[tuple[int, int]]:
    """Where the model saw mis-selling in the turn."""
    return [(item.start, item.end) for item in turn.evidence if item.label in _MIS_SELLING]


def measure(
    bench: Bench, conversations: Sequence[LabelledConversation], clean: Sequence[ConversationScore], most: int
) -> dict[str, Any]:
    """For each disguise: turns flagged in the clean text, and the share still flagged.

    Args:
        bench: what scores.
        conversations: of the test split.
        clean: their scores as they are, with evidence.
        most: conversations a disguise.
    """
    score_of = {conversation.id: score for conversation, score in zip(conversations, clean, strict=True)}
    risky = [conversation for conversation in conversations if flagged(score_of[conversation.id])]
    drawn = [until(c, flagged(score_of[c.id])[-1]) for c in sample(risky, most, "disguises")]
    found = {}
    for disguise in DISGUISES:
        variants = [changed(c, disguise.change, disguise.name, _AGENT) for c in drawn]
        found[disguise.name] = _kept(bench, disguise.name, disguise.family, variants, score_of)
    for name, separator in SPELLED.items():
        variants = [
            with_texts(
                c,
                [
                    spelled(turn.text, evidence_of(scored), separator)
                    for turn, scored in zip(c.turns, score_of[c.id].turns, strict=False)
                ],
            )
            for c in drawn
        ]
        what = f"evidence spelled out with {name}"
        found[what] = _kept(bench, what, "spelled", variants, score_of)
    return found


def _kept(
    bench: Bench, what: str, family: str, variants: Sequence[LabelledConversation], clean: dict[str, ConversationScore]
) -> dict[str, Any]:
    before, after, declined = [], [], 0
    for conversation, score in zip(variants, bench.scores(variants, what), strict=True):
        for index in flagged(clean[conversation.id]):
            before.append(risk_of(clean[conversation.id].turns[index]))
            after.append(risk_of(score.turns[index]))
            declined += score.turns[index].risk is None
    kept = sum(risk >= FLAGGED_FROM for risk in after)
    share = kept / len(after) if after else None
    target = TARGETS[family]
    return {
        "family": family,
        "conversations": len(variants),
        "flagged turns": len(after),
        "still flagged": share,
        "not scored": declined / len(after) if after else None,
        "mean change": (sum(after) - sum(before)) / len(after) if after else None,
        "target": target,
        "met": None if share is None or target is None else share >= target,
    }

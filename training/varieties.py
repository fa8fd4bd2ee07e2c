"""Varieties of English, and English as a second language, as rules that leave meaning, negation and numbers alone.

Each rule is a rough sketch of a feature that descriptions of the variety name (Kortmann and Lunkenheimer, The
Electronic World Atlas of Varieties of English). Nobody speaks by such rules alone: what is measured is whether
non-standard grammar and spelling by themselves move a score.
"""

from __future__ import annotations

import re

_Rules = tuple[tuple[str, str], ...]
_DROP_ARTICLES: _Rules = ((r"\b(?:the|a|an) (?=[a-z])", ""),)
_NO_THIRD_PERSON: _Rules = (
    (r"\b(he|she|it) gets\b", r"\1 get"),
    (r"\b(he|she|it) goes\b", r"\1 go"),
    (r"\b(he|she|it) costs\b", r"\1 cost"),
    (r"\b(he|she|it) has\b", r"\1 have"),
    (r"\b(he|she|it) needs\b", r"\1 need"),
    (r"\b(he|she|it) wants\b", r"\1 want"),
    (r"\b(he|she|it) covers\b", r"\1 cover"),
    (r"\b(he|she|it) pays\b", r"\1 pay"),
    (r"\b(he|she|it) means\b", r"\1 mean"),
)
_DROPPED_G: _Rules = ((r"\b([A-Za-z]{2,})ing\b(?<!thing)(?<!bring)(?<!during)", r"\1in'"),)

_VARIETIES: dict[str, _Rules] = {
    "African American English": (
        (r"\bare going to\b", "gon"),
        (r"\bgoing to\b", "gonna"),
        *_DROPPED_G,
        (r"\b(you|they|we) are (?=[a-z]+in')", r"\1 "),
        (r"\b(you|they|we)'re (?=[a-z]+in')", r"\1 "),
        (r"\b(he|she|it) is (?=[a-z]+in')", r"\1 "),
        (r"\bhave been\b", "been"),
        (r"\bthose\b", "them"),
        (r"\bwith\b", "wit"),
        *_NO_THIRD_PERSON,
    ),
    "Southern American English": (
        *_DROPPED_G,
        (r"\byou all\b|\byou guys\b", "y'all"),
        (r"\babout to\b", "fixin' to"),
        (r"\bmight\b(?! not)", "might could"),
        (r"\bover there\b", "over yonder"),
        (r"\bthink\b", "reckon"),
        (r"\bYes\b", "Yes ma'am"),
    ),
    "Scottish English": (
        (r"\byou\b", "ye"),
        (r"\bsmall\b|\blittle\b", "wee"),
        (r"\bto\b", "tae"),
        (r"\bof\b", "o'"),
        (r"\bhave\b(?! not)", "hae"),
        (r"\bknow\b", "ken"),
        (r"\byes\b", "aye"),
        (r"\bYes\b", "Aye"),
        (r"\bmy\b", "ma"),
        (r"\bhouse\b", "hoose"),
        (r"\bwith\b", "wi'"),
    ),
    "Northern English": (
        (r"\bmy\b", "me"),
        (r"\bwas\b(?! not)", "were"),
        (r"\bthe (?=[a-z])", "t' "),
        (r"\banything\b", "owt"),
        (r"\bsomething\b", "summat"),
        (r"\bthose\b", "them"),
    ),
    "Indian English": (
        (r"\bI understand\b", "I am understanding"),
        (r"\bI want\b", "I am wanting"),
        (r"\bI think\b", "I am thinking"),
        (r"\bI need\b", "I am needing"),
        (r"\btell me\b", "kindly tell me"),
        (r"\bplease\b", "kindly"),
        (r"\bnow\b", "now itself"),
        (r"\bdiscuss\b", "discuss about"),
        (r"\?", ", isn't it?"),
    ),
    "Singapore English": (
        *_DROP_ARTICLES,
        *_NO_THIRD_PERSON,
        (r"\b(you|they|we|he|she|it)'(?:re|s) (?=[a-z])", r"\1 "),
        (r"\bis (?=[a-z])(?!not)", ""),
        (r"\balready\b", "already ah"),
        (r"\.(?=\s|$)", " lah."),
        (r"\bIs that okay\b|\bIs that alright\b", "Can or not"),
    ),
    "second language: no articles": _DROP_ARTICLES,
    "second language: verbs": (
        *_NO_THIRD_PERSON,
        (r"\b(I|you|we|they) have been\b", r"\1 was"),
        (r"\bI'm (?=[a-z]+ing\b)", "I "),
        (r"\b(you|we|they)'re (?=[a-z]+ing\b)", r"\1 "),
        (r"\bdid you (\w+)", r"you did \1"),
        (r"\bdo you (\w+)", r"you \1"),
        (r"\bpaid\b", "payed"),
        (r"\btold\b", "telled"),
        (r"\bsaid\b", "say"),
        (r"\bwould like\b", "like"),
    ),
    "second language: prepositions and plurals": (
        (r"\bdepends on\b", "depends of"),
        (r"\bin the\b", "on the"),
        (r"\bat the\b", "in the"),
        (r"\bfor\b(?! free)", "since"),
        (r"\b(month|year|week|day|pound|dollar|fee|charge)s\b", r"\1"),
        (r"\bmuch\b", "many"),
        (r"\binformation\b", "informations"),
        (r"\badvice\b", "advices"),
    ),
}
VARIETIES = tuple(_VARIETIES)
_COMPILED = {name: [(re.compile(pattern), put) for pattern, put in rules] for name, rules in _VARIETIES.items()}


def rewritten(text: str, variety: str) -> str:
    """The text by the rules of a variety, in their order; the first letter of a turn stays a capital."""
    for pattern, put in _COMPILED[variety]:
        text = pattern.sub(put, text)
    return text[:1].upper() + text[1:]

"""What a recogniser's mistakes cost: words taken for others, lost, or put in.

Of the words that are hit, 60 % are replaced, 25 % lost and 15 % followed by a word that was not said, about the usual
shares in conversational telephone speech. A replaced word becomes one that sounds like it, where the list has one and
half the time, or else a frequent word. The labels stay those of what was said, though a lost "not" can turn it round.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

from app.core.labels import MIS_SELLING, TURN_LABELS, Label
from app.core.scores import ConversationScore
from training.behaviour import outputs
from training.corpus import LabelledConversation
from training.evaluate import FEWEST_POSITIVES
from training.rescoring import Bench, auc, changed, not_scored, risks, sample, truths

REPLACED, LOST = 0.60, 0.25
SOUND_ALIKE_SHARE = 0.5
# A label with fewer positives than this in the sample has no figure worth a mean.
_WORD = re.compile(r"\S+")
_CORE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9'.,%\u2019]*[A-Za-z0-9%])?")
_GROUPS = (
    "to two too|for four fore|their there they're|your you're|no know now|not knot nod|by buy bye|one won|"
    "ate eight|fee fees free feel|would wood|right write rate|week weak|sale sail sell|cell sell|some sum|"
    "plain plane plan|hear here|hour our are|wait weight|whole hole|meet meat|new knew|see sea|be bee|its it's|"
    "than then|loan lone alone|price prize prices|cost costs coast|cover color covered|policy police|"
    "charge change charged|contract contact|cancel counsel council|interest interests|risk rest risks|"
    "sign signs fine|save safe|terms turns|month months mouth|deal deals dealt|fifty fifteen|sixty sixteen|"
    "thirty thirteen|forty fourteen|seventy seventeen|eighty eighteen|ninety nineteen|percent present|"
    "million billion|hundred hundreds|thousand thousands|pound pounds|can can't kin|don't don do|won't want one|"
    "isn't is it|never ever|guarantee guaranteed warranty|guaranteed guarantee|always all|certain certainly|"
    "sure shore|promise premise|definitely definite|approve approved|today to|tomorrow morrow|offer off|"
    "account count|bank back|bill build|pay paid play|card car|call cold|line lime|phone fun|form from|"
    "need knead|think thing|let led|about a|really rarely|just dust|it is|and in|in and|of off|a the|the a|"
    "that at|he she|we he|I I'd|you you'd|was were|has as|had at|have of|will well|with width|out our|"
    "because cause|okay kay|yes yet"
)
_FREQUENT_WORDS = (
    "the a to and of in it is that you i we for on this be have so just with but not they at or do your can if will "
    "there what all yeah okay um uh well know right like get one would"
)
_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million half quarter "
    "percent"
)
_DENYING_WORDS = "no not never none nothing nobody nor neither without cannot"
_CLAIMING_WORDS = (
    "guarantee guaranteed guarantees certain certainly always never sure surely definitely absolutely promise promised "
    "everyone everybody nobody anyone zero only must today free best risk-free completely totally every"
)
_FREQUENT = _FREQUENT_WORDS.split()
_NUMBERS, _NEGATIONS, _CLAIMS = (frozenset(words.split()) for words in (_NUMBER_WORDS, _DENYING_WORDS, _CLAIMING_WORDS))


def _alike() -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for group in _GROUPS.split("|"):
        first, *others = group.split()
        for word in (first, *others):
            table.setdefault(word.lower(), []).extend(other for other in (first, *others) if other != word)
    return table


SOUND_ALIKES = _alike()


def is_number(word: str) -> bool:
    """Whether a bare lower-case word is a number, in digits or in letters."""
    return any(character.isdigit() for character in word) or bool(_NUMBERS & set(word.split("-")))


def is_negation(word: str) -> bool:
    """Whether it denies."""
    return word in _NEGATIONS or word.endswith(("n't", "n\u2019t"))


def is_claim(word: str) -> bool:
    """Whether it is one of the words that make a claim certain, total or urgent."""
    return word in _CLAIMS


def is_word(word: str) -> bool:
    """Whether there is anything to hear."""
    return bool(word)


@dataclass(frozen=True, slots=True)
class Noise:
    """Which words may be hit, how often, and how much AUC that may cost."""

    name: str
    rate: float
    hits: Callable[[str], bool] = is_word
    most_loss: float | None = None


NOISES = (
    Noise("10 % of words", 0.10, most_loss=0.02),
    Noise("20 % of words", 0.20, most_loss=0.05),
    Noise("half of all numbers", 0.5, is_number),
    Noise("half of all negations", 0.5, is_negation),
    Noise('half of all words like "guaranteed"', 0.5, is_claim),
)


def _replacement(word: str, rng: random.Random) -> str:
    alike = SOUND_ALIKES.get(word.lower())
    put = rng.choice(alike if alike and rng.random() < SOUND_ALIKE_SHARE else _FREQUENT)
    if put == word.lower():
        put = _FREQUENT[_FREQUENT.index(put) - 1] if put in _FREQUENT else _FREQUENT[0]
    return put.capitalize() if word[0].isupper() else put


def heard(text: str, rng: random.Random, rate: float, hits: Callable[[str], bool] = is_word) -> str:
    """The text as a recogniser hears it that gets a share `rate` of the words that `hits` admits wrong.

    Punctuation beside a word stays; a word is bare and in lower case when `hits` sees it.
    """
    kept: list[str] = []
    for match in _WORD.finditer(text):
        whole = match[0]
        core = _CORE.search(whole)
        if core is None or not hits(core[0].lower()) or rng.random() >= rate:
            kept.append(whole)
            continue
        kind = rng.random()
        if kind < REPLACED:
            kept.append(whole[: core.start()] + _replacement(core[0], rng) + whole[core.end() :])
        elif kind >= REPLACED + LOST:
            kept += [whole, rng.choice(_FREQUENT)]
    return " ".join(kept)


def macro_average_precision(
    conversations: Sequence[LabelledConversation], scores: Sequence[ConversationScore], labels: Sequence[Label]
) -> float | None:
    """The mean over labels with at least five positives among them; None where there is none."""
    found = []
    for label in labels:
        pairs = [
            (label.name in turn.labels, outputs(scored).get(label.name, 0.0))
            for conversation, score in zip(conversations, scores, strict=True)
            for turn, scored in zip(conversation.turns, score.turns, strict=True)
            if turn.role is label.role
        ]
        truth = np.array([shown for shown, _ in pairs], bool)
        if truth.sum() >= FEWEST_POSITIVES:
            found.append(float(average_precision_score(truth, [probability for _, probability in pairs])))
    return float(np.mean(found)) if found else None


def _figures(
    conversations: Sequence[LabelledConversation], scores: Sequence[ConversationScore]
) -> dict[str, float | None]:
    return {
        "AUC, any mis-selling": auc(truths(conversations), risks(scores)),
        "macro AP, mis-selling": macro_average_precision(conversations, scores, MIS_SELLING),
        "macro AP, all labels": macro_average_precision(conversations, scores, TURN_LABELS),
    }


def measure(
    bench: Bench, conversations: Sequence[LabelledConversation], clean: Sequence[ConversationScore], most: int
) -> dict[str, Any]:
    """For each noise: figures with it, and what it costs beside the same conversations unchanged.

    Args:
        bench: what scores.
        conversations: of the test split.
        clean: their scores as they are.
        most: conversations a noise.
    """
    score_of = {conversation.id: score for conversation, score in zip(conversations, clean, strict=True)}
    drawn = sample(conversations, most, "noise")
    before = _figures(drawn, [score_of[conversation.id] for conversation in drawn])
    found: dict[str, Any] = {}
    for noise in NOISES:
        variants = [changed(c, partial(heard, rate=noise.rate, hits=noise.hits), noise.name) for c in drawn]
        scores = bench.scores(variants, noise.name)
        after = _figures(drawn, scores)
        losses = {name: _loss(before[name], after[name]) for name in after}
        loss = losses["AUC, any mis-selling"]
        found[noise.name] = {
            "conversations": len(drawn),
            "words": sum(len(turn.text.split()) for c in drawn for turn in c.turns),
            "words hit": round(sum(_expected(c, noise) for c in drawn)),
            "agent turns not scored": not_scored(scores),
            "clean": before,
            "noisy": after,
            "loss": losses,
            "most AUC loss": noise.most_loss,
            "met": None if loss is None or noise.most_loss is None else loss <= noise.most_loss,
        }
    return found


def _expected(conversation: LabelledConversation, noise: Noise) -> float:
    """How many words are hit on average."""
    words = [core[0].lower() for turn in conversation.turns for w in turn.text.split() if (core := _CORE.search(w))]
    return noise.rate * sum(noise.hits(word) for word in words)


def _loss(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else before - after

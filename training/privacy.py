"""How much of what names a person `app.privacy` masks, what else it masks, and whether scores change by it.

Into each conversation one identifier of every sort is put, in a turn of its own, after the question for it where its
sentence answers one. One is found if all its letters and digits are masked, and found in part if some are.
"""

from __future__ import annotations

import datetime
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.conversation import Channel, Conversation, Role, Turn
from app.core.labels import MIS_SELLING, PRACTICE, SIGNALS
from app.core.scores import ConversationScore
from app.privacy.kinds import Kind
from app.privacy.masks import Redaction, redacted
from training.corpus import LabelledConversation
from training.identifiers import MAKERS, MEASURED, SAID_AGAIN, Template, development_name
from training.measure import machine
from training.rescoring import FLAGGED_FROM, SEED, Bench, auc, risks, truths

LABELS = (*MIS_SELLING, *PRACTICE, *SIGNALS)
AGAIN = "given name, said again"
# What quality assurance reads a conversation for, and what must therefore stay.
AMOUNT = re.compile(
    r"[$\u00a3\u20ac\u20b9\u20b1] ?\d[\d,.]*|\b(?:rs|ksh|kes|r|s\$|php)\.? ?\d[\d,.]*|\b\d[\d,.]* ?(?:%|percent"
    r"|per cent)|\b\d{1,2}[:.]\d\d ?(?:am|pm)?\b"
    r"|\b(?:\d[\d,.]*|(?:(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty|hundred"
    r"|thousand|lakh|and|a|half)[ -]){1,6})"
    r" ?(?:percent|per cent|pounds?|quid|dollars?|bucks|cents?|euros?|rand|rupees?|shillings|pesos|lakhs?|crores?"
    r"|months?|years?|days?|weeks?|hours?"
    r"|minutes?|gb|gigs?|mbps|km|kilomet(?:re|er)s|miles)\b",
    re.IGNORECASE,
)
_MONTH = (
    r"(?:january|february|march|april|june|july|august|september|october|november|december|jan|feb|apr|jun"
    r"|jul|aug|sept?|oct|nov|dec)"
)
APPOINTMENT = re.compile(
    r"\b(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow|today|tonight)\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}\b(?!,? ?(?:19|20)\d\d)|\b{_MONTH} \d{{1,2}}(?:st|nd|rd"
    rf"|th)?\b(?!,? ?(?:19|20)\d\d)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:['.,][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Seeded:
    """An identifier in a turn: its sort, where it stands, and how it was put there."""

    sort: str
    turn: int
    start: int
    end: int
    form: str


def _as_spoken(text: str) -> str:
    """As recognisers without punctuation write: lower case, and no marks."""
    return re.sub(r"[.,?!;:]", "", text).lower()


def seeded(
    conversation: LabelledConversation, templates: Mapping[str, Sequence[Template]], own_names: bool = True
) -> tuple[Conversation, list[Seeded]]:
    """The conversation with one identifier of each sort, and where they are; the same each time.

    Calls get spoken forms, half of them without punctuation and capitals; chats get written ones.
    """
    rng = random.Random(f"{SEED}/privacy/{conversation.id}")
    plain = conversation.plain()
    spoken = conversation.channel is Channel.VOICE
    bare = spoken and rng.random() < 0.5
    form = "call, bare" if bare else "call" if spoken else "chat"
    added: list[tuple[int, list[tuple[Role, str, str, str]]]] = []
    announced = ""
    for sort, (_, make) in MAKERS.items():
        template = rng.choice(list(templates[sort]))
        value = make(rng, spoken)
        if not own_names and sort in ("full name", "given name", "family name"):
            first, last = development_name(rng).rsplit(" ", 1)
            value = {"full name": f"{first} {last}", "given name": first, "family name": last}[sort]
        if sort == "given name":
            announced = value
        asker, teller = (
            (Role.AGENT, Role.CUSTOMER) if template.ask or rng.random() < 0.5 else (Role.CUSTOMER, Role.AGENT)
        )
        lines = [(asker, template.ask, "", "")] if template.ask else []
        added.append((rng.randrange(len(plain.turns) + 1), [*lines, (teller, template.say, value, sort)]))
    added.append((len(plain.turns), [(Role.CUSTOMER, rng.choice(SAID_AGAIN), announced, AGAIN)]))
    turns: list[Turn] = []
    found: list[Seeded] = []
    for place in range(len(plain.turns) + 1):
        for _, lines in (item for item in added if item[0] == place):
            for role, sentence, value, sort in lines:
                said, held = (_as_spoken(sentence), _as_spoken(value)) if bare else (sentence, value)
                start = said.find("{x}")
                if sort:
                    found.append(Seeded(sort, len(turns), start, start + len(held), form))
                turns.append(Turn("", role, said.replace("{x}", held)))
        if place < len(plain.turns):
            turn = plain.turns[place]
            turns.append(turn._replace(text=_as_spoken(turn.text) if bare else turn.text))
    numbered = tuple(turn._replace(id=str(index)) for index, turn in enumerate(turns))
    return replace(plain, turns=numbered), found


def _covered(redaction: Redaction, item: Seeded) -> tuple[float, Counter[Kind]]:
    """The share of its letters and digits that are masked, and by which kinds."""
    text = redaction.texts[item.turn]
    kinds: Counter[Kind] = Counter()
    places = [place for place in range(item.start, item.end) if text.original[place].isalnum()]
    for found in text.found:
        kinds[found.kind] += sum(found.start <= place < found.end for place in places)
    return sum(kinds.values()) / len(places), kinds


def recall(
    conversations: Sequence[LabelledConversation], templates: Mapping[str, Sequence[Template]], own_names: bool = True
) -> dict[str, Any]:
    """By sort and by form: how many were seeded, found whole, found in part, and given the right kind."""
    rows: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for conversation in conversations:
        changed, items = seeded(conversation, templates, own_names)
        redaction = redacted(changed)
        for item in items:
            share, kinds = _covered(redaction, item)
            wanted = MAKERS[item.sort][0] if item.sort in MAKERS else Kind.NAME
            for form in (item.form, "all"):
                rows[item.sort, form] += Counter(
                    seeded=1,
                    whole=share == 1,
                    some=share > 0,
                    right=bool(kinds) and kinds.most_common(1)[0][0] is wanted,
                )
    return {
        sort: {
            form: {
                "seeded": rows[sort, form]["seeded"],
                "recall": rows[sort, form]["whole"] / rows[sort, form]["seeded"],
                "found at least in part": rows[sort, form]["some"] / rows[sort, form]["seeded"],
                "right kind": rows[sort, form]["right"] / rows[sort, form]["seeded"],
            }
            for form in ("all", "chat", "call", "call, bare")
            if rows[sort, form]["seeded"]
        }
        for sort in (*MAKERS, AGAIN)
    }


def kept(conversations: Sequence[LabelledConversation]) -> dict[str, Any]:
    """Of the conversations as they are: the share of words masked, by kind, and of amounts and appointments."""
    words: Counter[str] = Counter()
    total, lost, held = 0, Counter[str](), Counter[str]()
    for conversation in conversations:
        for text in redacted(conversation.plain()).texts:
            spans = [match.span() for match in _WORD.finditer(text.original)]
            total += len(spans)
            for found in text.found:
                words[found.kind] += sum(start < found.end and found.start < end for start, end in spans)
            for what, pattern in (("amounts", AMOUNT), ("appointments", APPOINTMENT)):
                for match in pattern.finditer(text.original):
                    held[what] += 1
                    lost[what] += any(f.start < match.end() and match.start() < f.end for f in text.found)
    return {
        "words": total,
        "masked words": {kind.value: words[kind] for kind in Kind},
        "share of words masked": sum(words.values()) / total,
        "kept": {
            what: {"found": held[what], "masked": lost[what], "share": lost[what] / max(held[what], 1)} for what in held
        },
    }


def _masked(conversation: LabelledConversation) -> LabelledConversation:
    texts = redacted(conversation.plain()).texts
    turns = tuple(
        replace(turn, text=text.text, evidence=()) for turn, text in zip(conversation.turns, texts, strict=True)
    )
    return replace(conversation, turns=turns)


def _labels(scores: Sequence[ConversationScore]) -> NDArray[np.float64]:
    """A row a turn, a column a label; 0 where the service declined to score, and nan for labels of the other side."""
    of_role = {role: {label.name for label in LABELS if label.role is role} for role in (Role.AGENT, Role.CUSTOMER)}
    rows = []
    for turn in (turn for score in scores for turn in score.turns):
        shown = {**turn.categories, **turn.practice, **turn.signals}
        rows.append([shown.get(x.name, 0.0) if x.name in of_role.get(turn.role, ()) else np.nan for x in LABELS])
    return np.array(rows, float)


def score_changes(bench: Bench, conversations: Sequence[LabelledConversation]) -> dict[str, Any]:
    """What happens to scores if the masked text is sent to be scored, instead of masking what is answered."""
    changed = [_masked(conversation) for conversation in conversations]
    touched = np.array(
        [
            a.text != b.text
            for c, m in zip(conversations, changed, strict=True)
            for a, b in zip(c.turns, m.turns, strict=True)
        ]
    )
    before, after = bench.scores(conversations, "as they are"), bench.scores(changed, "masked")
    limits = np.array([bench.thresholds[label.name] for label in LABELS])
    old, new = _labels(before), _labels(after)
    own = ~np.isnan(old)
    moved = np.abs(new - old)
    flips = ((old >= limits) != (new >= limits)) & own
    risk_old, risk_new = risks(before), risks(after)
    whole = [
        (a.risk, b.risk, a.band, b.band)
        for a, b in zip(before, after, strict=True)
        if a.risk is not None and b.risk is not None
    ]
    truth = truths(conversations)
    return {
        "turns": len(touched),
        "turns with a mask": int(touched.sum()),
        "probabilities": {
            "mean change": float(moved[own].mean()),
            "mean change in turns with a mask": float(moved[touched][own[touched]].mean()),
            "largest change": float(moved[own].max()),
        },
        "labels flipped": {
            "flipped": int(flips.sum()),
            "of": int(own.sum()),
            "share": float(flips.sum() / own.sum()),
        },
        "turn risk": {
            "mean change": float(np.abs(risk_new - risk_old).mean()),
            "largest change": float(np.abs(risk_new - risk_old).max()),
            "crossed 0.5": int(((risk_old >= FLAGGED_FROM) != (risk_new >= FLAGGED_FROM)).sum()),
            "of": len(risk_old),
            "AUC as they are": auc(truth, risk_old),
            "AUC masked": auc(truth, risk_new),
        },
        "conversation risk": {
            "mean change": float(np.mean([abs(a - b) for a, b, _, _ in whole])),
            "largest change": float(max(abs(a - b) for a, b, _, _ in whole)),
            "bands changed": sum(a != b for _, _, a, b in whole),
            "of": len(whole),
        },
    }


def speed(conversations: Sequence[LabelledConversation]) -> dict[str, float]:
    """Milliseconds for 200 turns of the longest calls, the names being read already."""
    longest = sorted(conversations, key=lambda c: -len(c.turns))[:20]
    redacted(longest[0].plain())
    started = time.perf_counter()
    for conversation in longest:
        redacted(conversation.plain())
    turns = sum(len(conversation.turns) for conversation in longest)
    return {"turns": turns, "ms for 200 turns": (time.perf_counter() - started) / turns * 200_000}


def measure(bench: Bench | None, conversations: Sequence[LabelledConversation]) -> dict[str, Any]:
    """All figures; without a bench, those that need no model."""
    found = recall(conversations, MEASURED)
    worst = min(found, key=lambda sort: found[sort]["all"]["recall"])
    return {
        "release": bench.version if bench else None,
        "measured": {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "machine": machine()},
        "seed": SEED,
        "conversations": len(conversations),
        "recall": found,
        "worst": {"sort": worst, "recall": found[worst]["all"]["recall"]},
        "kept": kept(conversations),
        "speed": speed(conversations),
        "scores of masked text": score_changes(bench, conversations) if bench else None,
    }

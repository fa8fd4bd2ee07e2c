"""Scam messages, manipulation in films, and dark patterns of shops: does risk rank them above the rest."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.core.conversation import Role
from app.core.labels import MIS_SELLING, names
from training.outside.counts import has, turn_alarms, turn_auc
from training.outside.figures import Figure, auc
from training.outside.sets import NO_MARKS, Marks, OutsideSet, Scored, Talk, both_ways, document, present, table, talk

_UNREAD = "techniques that cannot be read"
_LINE = re.compile(r"\s*(Person\d+)\s*:\s*(.*)")
_MANIPULATIVE = "manipulative"
_BY_TECHNIQUE = {
    "pressure": ("Intimidation", "Shaming or Belittlement", "Playing Victim Role", "Persuasion or Seduction"),
    "dismissive": ("Shaming or Belittlement", "Denial", "Evasion"),
}
_ORDINARY = "Not Dark Pattern"
_BY_PATTERN = {
    "pressure": ("Scarcity", "Urgency"),
    "exaggeration": ("Social Proof",),
    "pricing_trickery": ("Misdirection", "Sneaking"),
}


def read_scams(files: Sequence[Path]) -> list[Talk]:
    """Rows of `description`, `PTs` (a mapping from technique to words, as Python writes it) and `dup_group`."""
    return present(
        talk(row["dup_group"], [(Role.AGENT, row["description"], _techniques(row["PTs"]))])
        for path in files
        for row in table(path)
    )


def _techniques(written: str) -> Marks:
    try:
        return frozenset(name.strip() for name in ast.literal_eval(written))
    except (SyntaxError, ValueError):
        return frozenset({_UNREAD})


def scams(scored: Sequence[Scored], thresholds: Mapping[str, float]) -> dict[str, Figure]:
    """How much is flagged, and how three categories rank the techniques nearest to them."""

    def read(marks: Marks) -> bool:
        return _UNREAD not in marks

    ranked = (
        ("pressure", "Urgency and Scarcity"),
        ("pressure", "Fear and Intimidation"),
        ("exaggeration", "Phantom Riches"),
        ("unauthorised", "Pretext and trust"),
    )
    return turn_alarms(scored, thresholds) | {
        f"{output}, AUC of {mark}": turn_auc(scored, Role.AGENT, output, has(mark), read) for output, mark in ranked
    }


def read_films(files: Sequence[Path]) -> list[Talk]:
    """Dialogues of lines `Person1: …` with `manipulative` and `technique`; each person once as the agent."""
    talks: list[Talk] = []
    for held in (held for path in files for held in document(path)):
        turns: list[tuple[str, str, Marks]] = []
        for line in held["dialogue"].splitlines():
            if match := _LINE.match(line):
                turns.append((match[1], match[2], NO_MARKS))
            elif turns:
                speaker, text, marks = turns[-1]
                turns[-1] = speaker, f"{text} {line}", marks
        manipulative = held["manipulative"] == "1"
        whole = frozenset({_MANIPULATIVE, *held["technique"].split(",")}) if manipulative else NO_MARKS
        talks += both_ways(held["id"], turns, whole)
    return talks


def films(scored: Sequence[Scored], _: Mapping[str, float]) -> dict[str, Figure]:
    """By dialogue, the higher score of its two sides: who manipulates is not labelled."""
    outputs = ("risk", "dismissive", *names(MIS_SELLING))
    highest: dict[str, dict[str, float]] = {}
    wholes: dict[str, Marks] = {}
    for held in scored:
        if held.score.risk is None:
            continue
        scores = {"risk": held.score.risk, **held.score.categories, **held.score.empathy}
        known = highest.setdefault(held.talk.unit, dict.fromkeys(outputs, 0.0))
        highest[held.talk.unit] = {name: max(known[name], scores.get(name, 0.0)) for name in outputs}
        wholes[held.talk.unit] = held.talk.whole

    def ranked(output: str, hit: Sequence[str]) -> Figure:
        """Dialogues with one of these marks against those that are not manipulative."""
        units = [unit for unit, whole in wholes.items() if not whole or has(*hit)(whole)]
        return auc(units, [bool(wholes[unit]) for unit in units], [highest[unit][output] for unit in units])

    found = {f"{output}, AUC of manipulative": ranked(output, (_MANIPULATIVE,)) for output in ("risk", "pressure")}
    for output, techniques in _BY_TECHNIQUE.items():
        found[f"{output}, AUC of {', '.join(techniques)} above not manipulative"] = ranked(output, techniques)
    return found


def read_shops(files: Sequence[Path]) -> list[Talk]:
    """Rows of `page_id`, `text`, `Pattern Category`, by tabs; a text is a turn of the agent, alone."""
    return present(
        talk(row["page_id"], [(Role.AGENT, row["text"], frozenset({row["Pattern Category"]}))])
        for path in files
        for row in table(path, "\t")
    )


def shops(scored: Sequence[Scored], thresholds: Mapping[str, float]) -> dict[str, Figure]:
    """Dark above ordinary texts by risk and by the nearest category, and what is flagged of ordinary ones."""
    ordinary = [held for held in scored if _ORDINARY in held.talk.marks[0]]
    found = {
        "risk, AUC of dark": turn_auc(scored, Role.AGENT, "risk", lambda marks: _ORDINARY not in marks),
    }
    for output, patterns in _BY_PATTERN.items():
        found[f"{output}, AUC of {', '.join(patterns)} above ordinary"] = turn_auc(
            scored, Role.AGENT, output, has(*patterns), has(_ORDINARY, *patterns)
        )
    return found | {f"ordinary texts: {name}": figure for name, figure in turn_alarms(ordinary, thresholds).items()}


SETS = (
    OutsideSet(
        name="scam messages",
        title="PsyScam, D2",
        source="github.com/KiteFlyKid/PsyScam (EMNLP 2025)",
        terms="for research, no licence file; evaluated only",
        rows="what victims reported of messages, letters and calls; scored as one turn of an agent",
        transfers="most should be flagged, and `pressure` should rank those that hurry or frighten above others",
        differs="all are scams, so nothing is told on fair against unfair; written text of whole letters, partly the "
        "reporter's own words; impersonation and phishing have no category of ours but `unauthorised`",
        files=("D2*.csv", "D2*.csv.gz"),
        read=read_scams,
        figures=scams,
    ),
    OutsideSet(
        name="manipulation in films",
        title="MentalManip, where all annotators agreed",
        source="github.com/audreycs/MentalManip (Wang et al., ACL 2024)",
        terms="CC BY-NC 4.0: measured only, for no commercial end; nothing was or may be trained on it",
        rows="dialogues of film scripts, scored twice, once with either person as the agent",
        transfers="little: threats and shaming may rank by `pressure`, denial and belittling by `dismissive`",
        differs="fiction, nothing is sold, and most manipulation goes without a claim about a product; what is not "
        "manipulative is often rude all the same",
        files=("MentalManip_con*.json", "MentalManip_con*.json.gz"),
        read=read_films,
        figures=films,
        sample=1000,
    ),
    OutsideSet(
        name="dark patterns of shops",
        title="EC dark patterns",
        source="github.com/yamanalab/ec-darkpattern; dark texts of github.com/aruneshmathur/dark-patterns "
        "(Mathur et al., CSCW 2019)",
        terms="Apache-2.0; the repository of the dark texts GPL-3.0",
        rows="short texts of web shops, each scored alone as a turn of an agent",
        transfers="scarcity and urgency should rank by `pressure` above ordinary texts",
        differs="buttons and banners, not talk, so no context; the set calls any such banner dark, true or not, while "
        "our `pressure` is false urgency; social proof and misdirection are only near to our categories",
        files=("dataset.tsv", "dataset.tsv.gz"),
        read=read_shops,
        figures=shops,
    ),
)

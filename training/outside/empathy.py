"""Empathy between peers, of therapists, and in comments of strangers, beside other people's labels."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from app.core.conversation import Role
from app.core.labels import EMPATHY_DIMENSIONS
from training.outside.counts import has, turn_alarms, turn_auc
from training.outside.figures import Figure, auc, kappa, macro_f1
from training.outside.sets import Marks, OutsideSet, Scored, Talk, present, table, talk, text_of

_MECHANISMS = {
    "emotional-reactions": "emotional_reaction",
    "interpretations": "interpretation",
    "explorations": "exploration",
}
_DISSATISFIED = ("annoyance", "disappointment", "anger", "disapproval")
_COMMENTS = 3000


def read_peers(files: Sequence[Path]) -> list[Talk]:
    """Pairs of `seeker_post` and `response_post` with `level`: a file a mechanism, the same pairs in the same order.

    Raises:
        ValueError: if the files of a part do not hold the same pairs.
    """
    parts: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in files:
        mechanism, _, part = path.name.partition("-reddit.")
        parts[part][mechanism] = path
    talks: list[Talk | None] = []
    for part, paths in parts.items():
        if set(paths) != set(_MECHANISMS):
            raise ValueError(f"*-reddit.{part}: not one file for each of {', '.join(_MECHANISMS)}")
        for rows in zip(*(table(paths[mechanism]) for mechanism in _MECHANISMS), strict=True):
            if len({(row["sp_id"], row["rp_id"]) for row in rows}) > 1:
                raise ValueError(f"*-reddit.{part}: the files do not hold the same pairs in the same order")
            levels = zip(_MECHANISMS.values(), (row["level"] for row in rows), strict=True)
            marks = frozenset(f"{dimension} {level}" for dimension, level in levels)
            turns = [(Role.CUSTOMER, rows[0]["seeker_post"], marks), (Role.AGENT, rows[0]["response_post"], marks)]
            talks.append(talk(rows[0]["sp_id"], turns))
    return present(talks)


def peers(scored: Sequence[Scored], _: Mapping[str, float]) -> dict[str, Figure]:
    """For each dimension quadratic kappa, macro F1, and AUC of level 1 or more."""
    rows = [(held.talk.unit, turn, marks) for held in scored for turn, marks in held.turns(Role.AGENT)]
    units = [unit for unit, _, _ in rows]
    found = {}
    for name in (dimension.name for dimension in EMPATHY_DIMENSIONS):
        true = [next(level for level in range(3) if f"{name} {level}" in marks) for _, _, marks in rows]
        values = [turn.empathy[name] for _, turn, _ in rows]
        # Halves count up: at an expected level of 0.5 the turn reads as level 1.
        predicted = [int(np.floor(2 * value + 0.5)) for value in values]
        found[f"{name}: quadratic kappa"] = kappa(units, true, predicted)
        found[f"{name}: macro F1"] = macro_f1(units, true, predicted)
        found[f"{name}: AUC of level 1 or more"] = auc(units, [level >= 1 for level in true], values)
    return found


def read_therapy(files: Sequence[Path]) -> list[Talk]:
    """Rows of utterances, one an annotator; a mark holds where at least half of the annotators set it."""
    sessions: dict[str, dict[int, list[dict[str, str]]]] = {}
    for row in (row for path in files for row in table(path)):
        utterances = sessions.setdefault(row["transcript_id"], {})
        utterances.setdefault(int(row["utterance_id"]), []).append(row)
    talks = []
    for unit, utterances in sessions.items():
        said = [rows for _, rows in sorted(utterances.items())]
        quality = frozenset({said[0][0]["mi_quality"]})
        talks.append(talk(unit, [_utterance(rows, quality) for rows in said], quality))
    return present(talks)


def _utterance(rows: Sequence[Mapping[str, str]], quality: Marks) -> tuple[Role, str, Marks]:
    role = Role.AGENT if rows[0]["interlocutor"] == "therapist" else Role.CUSTOMER
    votes = {
        "reflection": [row["reflection_exists"] == "True" for row in rows],
        "complex": [row["reflection_subtype"] == "complex" for row in rows],
        "question": [row["question_exists"] == "True" for row in rows],
        "open": [row["question_subtype"] == "open" for row in rows],
        "sustain": [row["client_talk_type"] == "sustain" for row in rows],
    }
    marks = quality | {mark for mark, cast in votes.items() if 2 * sum(cast) >= len(cast)}
    return role, rows[0]["utterance_text"], marks


def therapy(scored: Sequence[Scored], thresholds: Mapping[str, float]) -> dict[str, Figure]:
    """High against low quality by session and by turn; reflections, questions, and clients who hold back."""
    sessions = [(h.talk, h.score.empathy_score) for h in scored if h.score.empathy_score is not None]
    high = ["high" in talk.whole for talk, _ in sessions]
    figure = auc([talk.unit for talk, _ in sessions], high, [empathy for _, empathy in sessions])
    found = {"conversation empathy, AUC of high quality": figure}
    for name in (dimension.name for dimension in EMPATHY_DIMENSIONS):
        found[f"{name}, AUC of turns of high quality"] = turn_auc(scored, Role.AGENT, name, has("high"))
    found["dismissive, AUC of turns of low quality"] = turn_auc(scored, Role.AGENT, "dismissive", has("low"))
    for output, mark, among in (
        ("interpretation", "reflection", None),
        ("interpretation", "complex", "reflection"),
        ("exploration", "question", None),
        ("exploration", "open", "question"),
    ):
        if among is None:
            found[f"{output}, AUC of {mark}"] = turn_auc(scored, Role.AGENT, output, has(mark))
        else:
            name = f"{output}, AUC of {mark} among turns with {among}"
            found[name] = turn_auc(scored, Role.AGENT, output, has(mark), has(among))
    found["reluctance, AUC of sustain talk"] = turn_auc(scored, Role.CUSTOMER, "reluctance", has("sustain"))
    return found | turn_alarms(scored, thresholds)


def read_comments(files: Sequence[Path]) -> list[Talk]:
    """Lines of text, indices of emotions and id, by tabs without quoting; `labels.txt` beside them has the names.

    A comment is scored alone, as the agent's and again as the customer's.
    """
    talks: list[Talk | None] = []
    for path in files:
        emotions = (path.parent / "labels.txt").read_text(encoding="utf-8").split()
        for text, indices, unit in csv.reader(_lines(path), delimiter="\t", quoting=csv.QUOTE_NONE):
            marks = frozenset(emotions[int(index)] for index in indices.split(","))
            talks += [talk(unit, [(role, text, marks)]) for role in (Role.AGENT, Role.CUSTOMER)]
    return present(talks)


def _lines(path: Path) -> list[str]:
    # Comments hold other characters that `splitlines` would take for ends of lines.
    return text_of(path).removesuffix("\n").split("\n")


def comments(scored: Sequence[Scored], _: Mapping[str, float]) -> dict[str, Figure]:
    """The three outputs that have emotions to compare with."""
    return {
        "emotional_reaction, AUC of caring": turn_auc(scored, Role.AGENT, "emotional_reaction", has("caring")),
        "confusion, AUC of confusion": turn_auc(scored, Role.CUSTOMER, "confusion", has("confusion")),
        f"dissatisfaction, AUC of {', '.join(_DISSATISFIED)}": turn_auc(
            scored, Role.CUSTOMER, "dissatisfaction", has(*_DISSATISFIED)
        ),
    }


SETS = (
    OutsideSet(
        name="peer support",
        title="EPITOME, the Reddit part",
        source="github.com/behavioral-data/Empathy-Mental-Health (Sharma et al., EMNLP 2020)",
        terms="research use with attribution, by the licence documents of its repository",
        rows="a post of somebody in distress and the answer of another, rated by trained crowdworkers; the post is "
        "scored as the customer's turn, the answer as the agent's",
        transfers="the three dimensions have the names and levels of this work, so the ranking should carry over",
        differs="peers, not agents: long written posts about feelings, answers that speak of one's own life, which "
        "EPITOME rates as interpretation and our definitions do not; level 2 of exploration asks about feelings here, "
        "about situation and need with us; our levels were set on sales calls, so kappa falls further than AUC",
        files=tuple(f"{mechanism}-reddit.*" for mechanism in _MECHANISMS),
        read=read_peers,
        figures=peers,
        sample=1000,
    ),
    OutsideSet(
        name="motivational interviewing",
        title="AnnoMI",
        source="github.com/uccollab/AnnoMI (Wu et al., ICASSP 2022)",
        terms="released for research, no licence file; evaluated only",
        rows="spoken demonstrations of good and bad counselling; the therapist is scored as the agent",
        transfers="reflections should rank by `interpretation`, questions by `exploration`, good counselling by both "
        "and bad by `dismissive`; nothing is sold, so no turn should be flagged for mis-selling",
        differs="health and habits; whole turns of acted sessions; bad counselling presses people towards their own "
        "good, which may read as `pressure`; few sessions are of low quality",
        files=("AnnoMI-full*.csv", "AnnoMI-full*.csv.gz"),
        read=read_therapy,
        figures=therapy,
    ),
    OutsideSet(
        name="comments",
        title="GoEmotions",
        source="github.com/monologg/GoEmotions-pytorch (a copy of Demszky et al., ACL 2020)",
        terms="Apache-2.0",
        rows="comments of Reddit with the emotions that readers saw in them",
        transfers="`emotional_reaction` on caring, and the customer's `confusion` and `dissatisfaction`, weakly; no "
        "other emotion has a counterpart",
        differs="one comment without what it answers; anger at the world is no complaint about a seller, and care for "
        "oneself is no empathy",
        files=("train.tsv", "train.tsv.gz", "dev.tsv", "dev.tsv.gz", "test.tsv", "test.tsv.gz"),
        read=read_comments,
        figures=comments,
        sample=_COMMENTS,
    ),
)

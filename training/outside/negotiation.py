"""Negotiation and persuasion between people who sell nothing dishonestly: pressure, empathy, resistance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from app.core.conversation import Role
from training.outside.counts import alarms, has, turn_alarms, turn_auc, turn_share
from training.outside.figures import Figure
from training.outside.sets import Marks, OutsideSet, Scored, Talk, both_ways, document, present, table, talk

# What the other side is not persuaded by; a question about the thing or the charity is no resistance.
_RESISTANCE = (
    "attack-credibility",
    "personal-choice",
    "deflect-responsibility",
    "self-pity",
    "delay-tactic",
    "direct-rejection",
    "nitpicking",
    "hesitance",
)
_INSISTING = ("emotion-appeal", "foot-in-the-door", "ask-donate-more", "proposition-of-donation", "logical-appeal")
_INQUIRY = ("task-related-inquiry", "personal-related-inquiry")
_BUYERS_QUESTION = "Information Inquiry-Contesting"


def read_campsite(files: Sequence[Path]) -> list[Talk]:
    """Dialogues with `annotations`, pairs of text and labels, in the order of `chat_logs`; each both ways."""
    talks: list[Talk] = []
    for held in (held for path in files for held in document(path) if held["annotations"]):
        marked = list(held["annotations"])
        turns: list[tuple[str, str, Marks]] = []
        for line in held["chat_logs"]:
            # Lines without annotation are the buttons of the task.
            if marked and line["text"] == marked[0][0]:
                turns.append((line["id"], line["text"], frozenset(marked.pop(0)[1].split(","))))
        talks += both_ways(str(held["dialogue_id"]), turns)
    return talks


def campsite(scored: Sequence[Scored], thresholds: Mapping[str, float]) -> dict[str, Figure]:
    """Alarms, and how four outputs rank the strategies nearest to them."""
    ranked = (
        (Role.AGENT, "emotional_reaction", "showing-empathy"),
        (Role.AGENT, "interpretation", "showing-empathy"),
        (Role.AGENT, "exploration", "elicit-pref"),
        (Role.AGENT, "dismissive", "uv-part"),
        (Role.CUSTOMER, "need", "self-need"),
    )
    return turn_alarms(scored, thresholds) | {
        f"{output}, AUC of {mark}": turn_auc(scored, role, output, has(mark)) for role, output, mark in ranked
    }


def read_charity(files: Sequence[Path]) -> list[Talk]:
    """Rows of sentences: `B2` dialogue, `B4` 0 persuader or 1 persuadee, `Turn`, `Unit`, labels; a turn is joined."""
    rows = [row for path in files for row in table(path)]
    talks: list[Talk | None] = []
    for unit, of_dialogue in groupby(rows, lambda row: row["B2"]):
        turns: list[tuple[Role, str, Marks]] = []
        for (speaker, _), sentences in groupby(of_dialogue, lambda row: (row["B4"], row["Turn"])):
            said = list(sentences)
            marks = {row[column] for row in said for column in ("er_label_1", "ee_label_1", "Our Label")} - {""}
            role = Role.AGENT if speaker == "0" else Role.CUSTOMER
            turns.append((role, " ".join(row["Unit"] for row in said), frozenset(marks)))
        talks.append(talk(unit, turns))
    return present(talks)


def charity(scored: Sequence[Scored], thresholds: Mapping[str, float]) -> dict[str, Figure]:
    """Alarms, pressure by act of the persuader, exploration and reluctance."""
    found = alarms(scored, thresholds)
    for act in _INSISTING:
        found[f"turns over the threshold of pressure, of those with {act}"] = turn_share(
            scored, "pressure", thresholds["pressure"], has(act)
        )
    found["exploration, AUC of inquiries"] = turn_auc(scored, Role.AGENT, "exploration", has(*_INQUIRY))
    found["reluctance, AUC of resistance"] = turn_auc(scored, Role.CUSTOMER, "reluctance", has(*_RESISTANCE))
    return found


def read_bargains(files: Sequence[Path]) -> list[Talk]:
    """Rows of `Index` dialogue, `User` 0 buyer or 1 seller, `Text`, `Resistance Labels`; the seller is the agent."""
    dialogues: dict[str, list[tuple[Role, str, Marks]]] = {}
    for row in (row for path in files for row in table(path)):
        role = Role.AGENT if row["User"] == "1" else Role.CUSTOMER
        marks = frozenset({row["Resistance Labels"]} - {""})
        dialogues.setdefault(row["Index"], []).append((role, row["Text"], marks))
    return present(talk(unit, turns) for unit, turns in dialogues.items())


def bargains(scored: Sequence[Scored], thresholds: Mapping[str, float]) -> dict[str, Figure]:
    """Alarms on sellers, and the buyers' reluctance."""
    reluctance = turn_auc(scored, Role.CUSTOMER, "reluctance", lambda marks: bool(marks - {_BUYERS_QUESTION}))
    return alarms(scored, thresholds) | {"reluctance, AUC of resistance": reluctance}


SETS = (
    OutsideSet(
        name="campsite negotiations",
        title="CaSiNo",
        source="github.com/kushalchawla/CaSiNo (Chawla et al., NAACL 2021)",
        terms="CC BY 4.0",
        rows="two people divide food, water and firewood; those dialogues that have strategy labels, each scored "
        "twice, once with either side as the agent",
        transfers="few turns should be flagged; warmth, questions about wishes and needs should rank those strategies",
        differs="peers with nothing to sell; pleading one's own need is fair here",
        files=("casino_*.json", "casino_*.json.gz"),
        read=read_campsite,
        figures=campsite,
    ),
    OutsideSet(
        name="charity persuasion",
        title="PersuasionForGood with resisting strategies (ResPer)",
        source="github.com/americast/resper (Dutt et al., EACL 2021; dialogues of Wang et al., ACL 2019)",
        terms="dialogues Apache-2.0; no licence stated for the labels: evaluated only",
        rows="one person asks another to give to a charity; sentences of one turn are joined",
        transfers="honest persuasion takes few flags, `pressure` the most of them where feelings are appealed to; "
        "resistance should rank by `reluctance`",
        differs="a gift, not a product; an appeal to pity is fair here unless it shames; our labels have no appeals",
        files=("p4g_resisting*.csv", "p4g_resisting*.csv.gz"),
        read=read_charity,
        figures=charity,
    ),
    OutsideSet(
        name="second-hand bargains",
        title="CraigslistBargain with resisting strategies (ResPer)",
        source="github.com/americast/resper (Dutt et al., EACL 2021; dialogues of He et al., EMNLP 2018)",
        terms="dialogues MIT; no licence stated for the labels: evaluated only",
        rows="crowdworkers bargain over second-hand goods",
        transfers="few of the sellers' turns should be flagged; resistance of buyers should rank by `reluctance`",
        differs="haggling over a price is resistance here, also where the buyer wants the thing; sellers invent facts "
        "about goods that do not exist",
        files=("craigslist_resisting*.csv", "craigslist_resisting*.csv.gz"),
        read=read_bargains,
        figures=bargains,
    ),
)

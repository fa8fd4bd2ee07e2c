"""Ordinary sales calls and service dialogues: what is flagged where little or nothing is mis-sold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.core.conversation import Role
from training.outside.counts import TALKS_HIGH, TALKS_LIKELY, TURNS_FLAGGED, TURNS_LIKELY, alarms
from training.outside.sets import NO_MARKS, Marks, OutsideSet, Talk, document, present, table, talk

_AUTHORS = {"Agent": Role.AGENT, "Customer": Role.CUSTOMER}
_SPEAKERS = {"SYSTEM": Role.AGENT, "USER": Role.CUSTOMER}


def read_calls(files: Sequence[Path]) -> list[Talk]:
    """Rows of `conversation_id`, `message`, `author`, in the order of the file."""
    calls: dict[str, list[tuple[Role, str, Marks]]] = {}
    for row in (row for path in files for row in table(path)):
        turns = calls.setdefault(row["conversation_id"], [])
        turns.append((_AUTHORS.get(row["author"], Role.UNKNOWN), row["message"], NO_MARKS))
    return present(talk(unit, turns) for unit, turns in calls.items())


def read_dialogues(files: Sequence[Path]) -> list[Talk]:
    """Lists of dialogues of `turns` of `speaker` and `utterance`; the system is the agent."""
    return present(
        talk(held["dialogue_id"], [(_SPEAKERS[turn["speaker"]], turn["utterance"], NO_MARKS) for turn in held["turns"]])
        for path in files
        for held in document(path)
    )


SETS = (
    OutsideSet(
        name="car-insurance calls",
        title="Real car-insurance sales calls",
        source="github.com/SparkBeyond/agentune, `examples/data`",
        terms="the publisher has left source and licence of the data open; evaluated only, not quoted, not passed on",
        rows="recorded calls that qualify and transfer leads, machine transcribed, personal data replaced by tags",
        transfers="nothing should be flagged but the few turns that do push; these are the nearest to what users send",
        differs="nobody has labelled them, so a true finding counts as an alarm; speakers are wrong in places, a "
        "sentence is often cut over several turns, and one call may hold several agents",
        files=("messages*.csv", "messages*.csv.gz"),
        read=read_calls,
        figures=alarms,
        targets={TURNS_FLAGGED: 0.03, TURNS_LIKELY: 0.03, TALKS_HIGH: 0.05, TALKS_LIKELY: 0.05},
        listed=True,
    ),
    OutsideSet(
        name="schema-guided dialogues",
        title="Schema-Guided Dialogue (SGD)",
        source="github.com/google-research-datasets/dstc8-schema-guided-dialogue",
        terms="CC BY-SA 4.0",
        rows="bookings, tickets, banking and repairs, from machine-made outlines that crowdworkers put into words",
        transfers="nothing should be flagged: nothing is mis-sold",
        differs="cleaner and shorter than what people say to each other, and hardly selling: a low rate here is the "
        "least that can be asked",
        files=("*dialogues_*.json", "*dialogues_*.json.gz"),
        read=read_dialogues,
        figures=alarms,
        targets={TURNS_FLAGGED: 0.01, TURNS_LIKELY: 0.01},
        listed=True,
    ),
)

"""What opens a turn in plain text, who is taken for whom, and what is mere words."""

from __future__ import annotations

import time

import pytest

from app.core.conversation import Conversation, Role
from app.transcripts.document import Document
from app.transcripts.formats.plain_text import READER
from app.transcripts.registry import read
from app.transcripts.roles import assign

AGENT, CUSTOMER, UNKNOWN = Role.AGENT, Role.CUSTOMER, Role.UNKNOWN


def conversation(text: str) -> Conversation:
    (entry,) = read(Document.of(text.encode()))
    assert isinstance(entry.outcome, Conversation), entry.outcome
    return assign(entry.outcome, {})[0]


def turns(text: str) -> list[tuple[Role, str]]:
    return [(turn.role, turn.text) for turn in conversation(text).turns]


@pytest.mark.parametrize(
    "line",
    [
        "Agent: hello",
        "agent:hello",
        "AGENT :  hello  ",
        "**Agent:** hello",
        "**Agent**: hello",
        "**Agent: hello**",
        "__Agent__: hello",
        "- Agent: hello",
        "> Agent: hello",
        "[00:01] Agent: hello",
        "(0:00:01.5) Agent: hello",
        "00:01 Agent: hello",
        "00:01 - Agent: hello",
        "10:30 AM Agent: hello",
        "[2025-03-01 10:30:00] Agent: hello",
        "[00:01] **Agent:** hello",
        "Agent [00:01]: hello",
        "Agent (00:00:01): hello",
        "Agent (Jo): hello",
        "Agent 2: hello",
        "Sales Rep: hello",
        "sales_rep: hello",
        "Advisor: hello",
        "Adviser: hello",
        "Representative: hello",
    ],
)
def test_forms_in_which_an_agent_opens_a_turn(line: str) -> None:
    assert turns(f"{line}\nCustomer: hi") == [(AGENT, "hello"), (CUSTOMER, "hi")]


@pytest.mark.parametrize("name", ["Customer", "Client", "Caller", "CALLER", "Prospect", "User", "Customer 1"])
def test_names_of_customers(name: str) -> None:
    assert turns(f"Agent: hello\n{name}: hi") == [(AGENT, "hello"), (CUSTOMER, "hi")]


def test_a_title_and_a_letterhead_are_left_out() -> None:
    assert turns("Call transcript: order 66\nDate: 2025-03-01\n\nAgent: hello\n") == [(AGENT, "hello")]


@pytest.mark.parametrize(
    "line",
    [
        "One thing: it is dear",
        "https://example.org/a",
        "10:30 works for me",
        "Note: it is dear",
        "Step 1: sign here\nStep 2: pay",
        "C:\\Users\\Jo",
        "C:\\Users\\Jo\nC:\\Temp",
        "he said: no",
        "the customer: always right",
        'then "Agent: x" stood there',
        "Price: 30\nPrice: 31",
    ],
)
def test_colons_in_words_open_no_turn(line: str) -> None:
    assert turns(f"Agent: look\n{line}\nCustomer: hi") == [(AGENT, f"look\n{line}"), (CUSTOMER, "hi")]


def test_lines_go_on_over_blank_lines_and_rules() -> None:
    assert turns("Agent:\nfirst\n\n  second\n---\nCustomer:\n\nCustomer: hi") == [
        (AGENT, "first\nsecond"),
        (CUSTOMER, "hi"),
    ]


def test_line_ends_of_all_systems_give_the_same() -> None:
    lines = ["Agent: one", "two", "", "Customer: hi"]
    expected = [(AGENT, "one\ntwo"), (CUSTOMER, "hi")]
    assert [turns(end.join(lines)) for end in ("\n", "\r\n", "\r")] == [expected] * 3
    assert turns("\ufeff" + "\n".join(lines)) == expected


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("A: x\nC: y", [AGENT, CUSTOMER]),
        ("A: x\nC: y\nA: z", [AGENT, CUSTOMER, AGENT]),
        ("Q: x\nA: y\nQ: z\nA: w", [UNKNOWN] * 4),
        ("A: x\nB: y\nA: z\nB: w", [UNKNOWN] * 4),
        ("Me: x\nCustomer: y", [AGENT, CUSTOMER]),
        ("Me: x\nAgent: y", [CUSTOMER, AGENT]),
        ("You: x\nAgent: y", [CUSTOMER, AGENT]),
        ("Me: x\nDana Roy: y\nDana Roy: z", [UNKNOWN] * 3),
        ("Me: x\nAgent: y\nCustomer: z", [UNKNOWN, AGENT, CUSTOMER]),
        ("Jo: x\nAgent: y\nJo: z", [CUSTOMER, AGENT, CUSTOMER]),
        ("Agent: x\n[00:05] Dana Roy: y", [AGENT, CUSTOMER]),
        ("Agent: x\nJo: y\nKim: z\nJo: a\nKim: b", [AGENT, *[UNKNOWN] * 4]),
        ("Agent: x\nSupervisor: y", [AGENT, UNKNOWN]),
        ("Chatbot: x\nCustomer: y", [Role.BOT, CUSTOMER]),
        ("System: x\nCustomer: y", [Role.SYSTEM, CUSTOMER]),
        ("Speaker 1: x\nSpeaker 2: y", [UNKNOWN, UNKNOWN]),
        ("Anna: x\nBen: y\nAnna: z\nBen: w", [UNKNOWN] * 4),
    ],
)
def test_roles_go_by_the_table_and_by_who_is_left(text: str, roles: list[Role]) -> None:
    assert [role for role, _ in turns(text)] == roles


def test_speakers_and_times_are_kept() -> None:
    text = "[00:00] Agent: a\n01:02:03,5 - Dana Roy: b\nCustomer (Kim) : c\n[10:30 PM] Agent: d\nAgent [01:01]: e\n"
    assert [(turn.id, turn.speaker, turn.start_ms) for turn in conversation(text).turns] == [
        ("0", "Agent", 0),
        ("1", "Dana Roy", 3_723_500),
        ("2", "Customer (Kim)", None),
        ("3", "Agent", None),
        ("4", "Agent", 61_000),
    ]


def test_a_time_at_the_start_of_a_further_line_is_no_word() -> None:
    assert turns("[00:01] Agent: one\n[00:05] two\n00:09\n(softly) three") == [(AGENT, "one\ntwo\n(softly) three")]


@pytest.mark.parametrize("piece", [" ", "**", "[", "(1:", "1:", "a ", "[0 ", "Agent (", "<", "\t*"])
def test_time_grows_no_faster_than_the_line(piece: str) -> None:
    document = Document.of(b"Agent: x\n" + piece.encode() * 200_000 + b"!")
    started = time.perf_counter()
    READER.recognises(document)
    assert time.perf_counter() - started < 2

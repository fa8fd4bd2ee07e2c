"""IETF vCon: read from messages and transcripts, and written so that it reads back equal."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.conversation import Channel, Conversation, Role, Turn
from app.outputs.vcon import vcon_of
from app.transcripts.document import Document
from app.transcripts.reader import Entry
from app.transcripts.registry import read
from tests.transcripts.mutations import SAMPLES, changed_documents, check

WHEN = datetime(2026, 1, 5, 10, tzinfo=UTC)
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def sample(name: str) -> Entry:
    (entry,) = read(Document.of((SAMPLES / "vcon" / name).read_bytes()))
    assert isinstance(entry.outcome, Conversation), entry.outcome
    return entry


def conversation(name: str) -> Conversation:
    outcome = sample(name).outcome
    assert isinstance(outcome, Conversation)
    return outcome


def rows(found: Conversation) -> list[tuple[Role, str | None, str, int | None]]:
    return [(turn.role, turn.speaker, turn.text, turn.start_ms) for turn in found.turns]


def test_messages_by_start_with_the_parties_roles() -> None:
    found = conversation("messages.json")
    assert rows(found) == [
        (Role.AGENT, "Ines", "Hello & welcome.", 0),
        (Role.CUSTOMER, "+15550100", "Is there a fee?", 30_000),
        (Role.UNKNOWN, "supervisor (Max)", "No fee, I promise — Max", 60_000),
    ]
    assert [turn.id for turn in found.turns] == ["<m1>", "<m2>", "<m3>"]
    assert (found.id, found.metadata) == ("case-7", {"subject": "Broadband offer"})
    assert {item.where for item in sample("messages.json").left_out} == {
        "/dialog/3", "/dialog/4", "/analysis/0", "/attachments/0",
    }  # fmt: skip


def test_recordings_by_the_transcript_that_tells_speakers_apart() -> None:
    found = conversation("recordings.json")
    assert rows(found) == [
        (Role.AGENT, "Rosa Blum", "Good day.", 250),
        (Role.CUSTOMER, "Ned Fox", "Hello.", 2000),
        (Role.UNKNOWN, "Agent", "The line dropped.", None),
        (Role.UNKNOWN, "Customer", "It did.", None),
    ]
    assert [turn.pointer for turn in found.turns][1:3] == ["/analysis/2/body/segments/1", "/analysis/0/body"]
    assert (found.channel, found.turns[0].confidence) == (Channel.VOICE, 0.9)


def test_a_vendors_transcript_as_a_text_and_its_channels_as_parties() -> None:
    found = conversation("deepgram_text.json")
    assert rows(found) == [(Role.AGENT, "Ann", "Morning.", 500), (Role.UNKNOWN, "channel 1", "Hi.", 1500)]


def test_a_vcon_inside_itself_is_not_read() -> None:
    inner = {"vcon": "0.4.0", "parties": [], "dialog": [], "analysis": []}
    for _ in range(60):
        inner = {"vcon": "0.4.0", "parties": [], "analysis": [{"type": "transcript", "body": [inner]}]}
    check(json.dumps(inner).encode())


@settings(deadline=None)
@given(changed_documents("vcon"))
def test_a_changed_sample_breaks_nothing(content: bytes) -> None:
    check(content)


def test_what_is_written_keeps_to_the_draft() -> None:
    turns = (Turn("t1", Role.AGENT, "Hello.", 500, 900, "Jo"), Turn("t2", Role.CUSTOMER, "Hi."))
    written = vcon_of(Conversation(turns, "c-1", Channel.VOICE), {"model_version": "1.0"}, created=WHEN)
    assert (written["vcon"], UUID(written["uuid"]).version) == ("0.4.0", 8)
    assert UUID(written["uuid"]).int >> 80 == int(WHEN.timestamp() * 1000)
    assert written["parties"] == [{"name": "Jo", "role": "agent"}, {"role": "customer"}]
    for moment in (written["created_at"], *(dialog["start"] for dialog in written["dialog"])):
        assert RFC_3339.fullmatch(moment)
    for dialog in written["dialog"]:
        assert (dialog["type"], dialog["encoding"], type(dialog["body"])) == ("text", "none", str)
        assert dialog["parties"] in range(len(written["parties"]))
        assert dialog.get("duration", 0) >= 0
    (report,) = written["analysis"]
    assert (report["type"], report["vendor"], report["encoding"]) == ("report", "softsell", "json")
    assert (report["dialog"], report["body"]) == ([0, 1], {"model_version": "1.0"})
    assert set(written["extensions"]) == {"cc", "softsell"}


_LABELS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(lambda text: text == text.strip() != "")
_TIMES = st.none() | st.integers(0, 10**7)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    turns = []
    for index in range(draw(st.integers(1, 6))):
        start = draw(_TIMES)
        end = draw(_TIMES.filter(lambda time, start=start: time is None or time >= (start or 0)))
        text = draw(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text.strip() != ""))
        role, speaker = draw(st.sampled_from(list(Role))), draw(st.none() | _LABELS)
        turns.append(Turn(f"t{index}", role, text, start, end, speaker))
    return Conversation(tuple(turns), draw(st.none() | _LABELS), draw(st.none() | st.sampled_from(list(Channel))))


@settings(deadline=None)
@given(conversations())
def test_what_is_written_reads_back_equal(given_one: Conversation) -> None:
    written = vcon_of(given_one, {"model_version": "1.0"}, created=WHEN)
    (entry,) = read(Document.of(json.dumps(written).encode()))
    found = entry.outcome
    assert isinstance(found, Conversation)
    assert (found.id, found.channel) == (given_one.id or written["uuid"], given_one.channel)
    assert [(t.id, t.role, t.text, t.start_ms, t.end_ms, t.speaker) for t in found.turns] == [
        (t.id, t.role, t.text, t.start_ms, t.end_ms, t.speaker) for t in given_one.turns
    ]

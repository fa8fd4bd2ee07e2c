"""Offsets, evidence and speakers of a masked conversation."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.conversation import Conversation, Role, Turn
from app.core.evidence import Evidence
from app.core.scores import ConversationScore
from app.core.text import REDACTED, clean
from app.core.turn_scores import TurnScore
from app.privacy.kinds import Found, Kind, merged
from app.privacy.lexicon import lexicon
from app.privacy.masks import MaskedText, redacted

PIECES = (
    "Hi, it's Karen Holt. ",
    "call 07700 900123 ",
    "my card is 4111 1111 1111 1111, ",
    "j.smith@example.org ",
    "born 14/03/1962 ",
    "14 Elm Road, Leeds LS6 3HN ",
    "guaranteed for 12 months ",
    "[PII] ",
    "\u200b",
    "\u00e9\ufb01\U0001f600",
    "\ud800",
)
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=12)), max_size=8).map("".join)
# A turn of the most characters that a server takes.
HOSTILE_CHARACTERS = 20_000
# Many times what it takes, and less than a tenth of what a pattern that grows with the square would.
HOSTILE_S = 8.0


def of(*texts: str, **more: str) -> Conversation:
    return Conversation(tuple(Turn(str(i), Role.AGENT, text, **more) for i, text in enumerate(texts)))  # type: ignore[arg-type]


@given(TEXTS)
def test_each_character_that_is_left_is_where_the_map_says(text: str) -> None:
    masked = redacted(of(text)).texts[0]
    shown, origins = masked.text, masked.origins()
    assert len(origins) == len(shown)
    assert all(origin == -1 or shown[place] == text[origin] for place, origin in enumerate(origins))
    covered = {place for found in masked.found for place in range(found.start, found.end)}
    assert sorted(origin for origin in origins if origin >= 0) == [p for p in range(len(text)) if p not in covered]


@given(TEXTS, st.data())
def test_a_span_shows_whole_masks_and_is_found_again_in_the_masked_text(text: str, data: st.DataObject) -> None:
    masked = redacted(of(text)).texts[0]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    shown = masked.part(start, end)
    begin, stop = masked.masked_span(start, end)
    assert masked.text[begin:stop] == shown
    for found in masked.found:
        if found.start < end and start < found.end:
            assert found.kind.mask in shown


@given(TEXTS)
def test_masking_again_changes_nothing(text: str) -> None:
    once = redacted(of(text)).conversation
    again = redacted(once)
    assert [turn.text for turn in again.conversation.turns] == [turn.text for turn in once.turns]


def test_evidence_that_cuts_an_identifier_shows_its_mask_whole() -> None:
    text = "Karen Holt, it is guaranteed."
    redaction = redacted(of(text))
    assert redaction.evidence_text(0, 6, len(text)) == "[NAME], it is guaranteed."
    assert redaction.evidence_text(0, 18, 28) == "guaranteed"
    assert redaction.masked_span(0, 18, 28) == (14, 24)


def test_a_masked_score_counts_in_the_masked_text() -> None:
    redaction = redacted(of("Karen Holt, it is guaranteed."))
    evidence = (Evidence("exaggeration", 18, 28, 0.9),)
    score = ConversationScore((TurnScore(0, Role.AGENT, evidence=evidence),), None, None, {}, None, {}, {}, {}, (), 0)
    (turn,) = redaction.masked_score(score).turns
    (span,) = turn.evidence
    assert redaction.conversation.turns[0].text[span.start : span.end] == "guaranteed"
    assert redaction.settled().evidence_text(0, span.start, span.end) == "guaranteed"
    assert redaction.settled().counts == redaction.counts == {Kind.NAME: 1}


def test_every_mask_is_a_redaction_to_the_scorer() -> None:
    for kind in Kind:
        assert clean(f"It is {kind.mask}.").text == f"It is {REDACTED}."
    assert clean("[NAME_12]").text == REDACTED


def test_overlapping_finds_become_one_of_the_first_kind() -> None:
    found = [Found(4, 9, Kind.NAME), Found(0, 5, Kind.NUMBER), Found(9, 11, Kind.EMAIL)]
    assert merged(found) == [Found(0, 9, Kind.NUMBER), Found(9, 11, Kind.EMAIL)]
    assert MaskedText("abcdefghijkl", tuple(merged(found))).text == "[NUMBER][EMAIL]l"


def test_speakers_and_metadata_are_masked_and_ids_stay() -> None:
    turns = (
        Turn("1", Role.AGENT, "well zorvantha is here", speaker="Zorvantha Quillby"),
        Turn("2", Role.CUSTOMER, "ok", speaker="Karen Holt"),
        Turn("3", Role.AGENT, "ok", speaker="Agent 2"),
        Turn("4", Role.UNKNOWN, "ok", speaker="+447700900123"),
        Turn("5", Role.UNKNOWN, "ok"),
    )
    metadata = {
        "agent": "Karen Holt",
        "agent_id": "karen.holt",
        "product": "savings plan",
        "note": "asked for Karen",
        "phone": "0044 7700 9001",
    }
    redaction = redacted(Conversation(turns, "c-17", metadata=metadata, source_categories=("call with Karen",)))
    masked = redaction.conversation
    assert [turn.speaker for turn in masked.turns] == ["[NAME_1]", "[NAME_2]", "Agent 2", "[PHONE]", None]
    assert masked.turns[0].text == "well [NAME] is here"
    assert masked.metadata == {
        "agent": "[NAME]",
        "agent_id": "karen.holt",
        "product": "savings plan",
        "note": "asked for [NAME]",
        "phone": "[PHONE]",
    }
    assert masked.source_categories == ("call with [NAME]",)
    assert masked.id == "c-17"
    assert redaction.speaker("Karen Holt") == "[NAME_2]"
    assert redaction.speaker("Dana Roy") == "[NAME]"


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "0",
        "1 ",
        "1-",
        "(1",
        "a.",
        "a@",
        "a at ",
        "at a-",
        "dot ",
        "a at b dot ",
        "flat 1 ",
        "12 elm tree ",
        "one hundred and ",
        "twenty ",
        "double ",
        "Mr ",
        "my name is ",
        "Karen ",
        "a'",
        "born 1 ",
        "born ",
        "$1,",
        "1,000",
        "Rs 1 000 ",
        "one, uh, and then ",
        "account number is ",
        "A, ",
        "[NAME] ",
        "AB1-",
        "a for apple ",
        "GB12 3456 ",
        "12 ab ab, ",
        "\u2026",
    ],
)
def test_hostile_text_takes_a_bounded_time(piece: str) -> None:
    lexicon()
    ask = "Your full name, date of birth, address, postcode, card number and phone number?"
    text = (piece * HOSTILE_CHARACTERS)[:HOSTILE_CHARACTERS]
    started = time.process_time()
    redacted(of(ask, text))
    assert time.process_time() - started < HOSTILE_S


def test_any_noise_is_survived() -> None:
    rng = random.Random(7)
    text = "".join(chr(rng.choice((rng.randrange(32, 127), rng.randrange(0x2FFF)))) for _ in range(5000))
    assert redacted(of(text, text)).texts[0].original == text

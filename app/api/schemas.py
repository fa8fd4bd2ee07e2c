"""What a score looks like on the wire, as pydantic models, and how it is made from the core's.

Every label is a field of its own, for callers whose language has no maps; a test holds the names
against `app.core.labels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from app.core.calibration import Band
from app.core.conversation import Conversation, Role
from app.core.labels import EMPATHY_DIMENSIONS, TURN_LABELS
from app.core.scores import ConversationScore
from app.core.turn_scores import TurnScore
from app.privacy.kinds import Kind
from app.privacy.masks import Redaction
from app.transcripts.intake import Taken
from app.transcripts.reader import LeftOut
from app.transcripts.roles import Basis, Speaker

# More digits than these say nothing, and cost a third of the answer's size.
_DIGITS = 6
MOST_LEFT_OUT = 100

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


_DEFINITIONS = {label.name: label.definition for label in TURN_LABELS}
_STRONGEST = {dimension.name: dimension.levels[-1] for dimension in EMPATHY_DIMENSIONS}


def _shows(label: str) -> Any:
    return Field(description=f"Probability. {_DEFINITIONS[label]}")


def _reaches(dimension: str) -> Any:
    return Field(description=f"From 0, none, to 1: {_STRONGEST[dimension]}.")


class Categories(BaseModel):
    """Probability of each mis-selling category; definitions are at /v1/labels."""

    exaggeration: Probability = _shows("exaggeration")
    omission: Probability = _shows("omission")
    pricing_trickery: Probability = _shows("pricing_trickery")
    bait_and_switch: Probability = _shows("bait_and_switch")
    pressure: Probability = _shows("pressure")
    unauthorised: Probability = _shows("unauthorised")
    unsuitable: Probability = _shows("unsuitable")


class Practice(BaseModel):
    """Probability of each good practice."""

    disclosure: Probability = _shows("disclosure")
    consent_check: Probability = _shows("consent_check")
    respects_refusal: Probability = _shows("respects_refusal")


class Signals(BaseModel):
    """Probability of each thing that the customer shows."""

    need: Probability = _shows("need")
    reluctance: Probability = _shows("reluctance")
    confusion: Probability = _shows("confusion")
    vulnerability: Probability = _shows("vulnerability")
    dissatisfaction: Probability = _shows("dissatisfaction")


class TurnEmpathy(BaseModel):
    """Empathy of an agent turn: each dimension's expected level, from 0 (none) to 1 (strong)."""

    emotional_reaction: Probability = _reaches("emotional_reaction")
    interpretation: Probability = _reaches("interpretation")
    exploration: Probability = _reaches("exploration")
    dismissive: Probability = _shows("dismissive")


class Empathy(BaseModel):
    """Empathy of the agent over the conversation; dimensions are means over the agent's turns."""

    score: Probability = Field(description="Overall, from 0 to 1.")
    emotional_reaction: Probability = _reaches("emotional_reaction")
    interpretation: Probability = _reaches("interpretation")
    exploration: Probability = _reaches("exploration")
    dismissive: Probability = _shows("dismissive")


class TurnMisSelling(BaseModel):
    """Mis-selling risk of an agent turn."""

    risk: Probability = Field(description="Probability that the turn mis-sells in any way.")
    categories: Categories = Field(description="The same for each category.")


class MisSelling(BaseModel):
    """Mis-selling risk of the conversation."""

    risk: Probability = Field(description="Probability of material or severe mis-selling (severity 2 or 3).")
    band: Band = Field(description="What to do: low leave it, medium have a look, high act; bounds at /v1/model.")
    categories: Categories = Field(description="Each category over the whole conversation.")


class EvidenceSpan(BaseModel):
    """Words of a turn that show a label: `text` is the turn's text[start:end], with masks if redaction is asked for.

    A mask is never cut, so `text` may then reach further than the offsets, which count in the text that was sent.
    """

    label: str = Field(description="A label of /v1/labels.")
    start: int = Field(ge=0, description="First character, counted in Unicode code points.")
    end: int = Field(ge=1, description="End, exclusive, in Unicode code points.")
    text: str = Field(description="The words themselves.")
    score: Probability = Field(
        description="The calibrated probability of the span's strongest word, not that these words show the label."
    )


class TurnAnswer(BaseModel):
    """One turn, with what its role can show."""

    id: str = Field(description="As sent; the turn's index if none was.")
    role: Role = Field(description="As sent.")
    mis_selling: TurnMisSelling | None = Field(
        description="Of agent turns; null for others, and where `abstained` says so."
    )
    empathy: TurnEmpathy | None = Field(description="Of agent turns; null for others, and where `abstained` says so.")
    practice: Practice | None = Field(description="Of agent turns; null for others, and where `abstained` says so.")
    signals: Signals | None = Field(description="Of customer turns; null for others, and where `abstained` says so.")
    evidence: list[EvidenceSpan] = Field(description="In the order of the text; empty if not asked for.")


class Truncation(BaseModel):
    """A turn of which not everything was read."""

    turn_id: str = Field(description="Which turn.")
    reason: str = Field(description="A stable code.")


class SpeakerAnswer(BaseModel):
    """A speaker of a transcript, and how the role was found."""

    speaker: str | None = Field(description="As the transcript labels them; null for turns without a label.")
    role: Role = Field(description="The role that their turns are scored by.")
    basis: Basis = Field(
        description="source: the transcript says so; map: your roles; name: a well-known name; remaining: the one "
        "left of two; guess: by what they say; none: not known."
    )
    confidence: Probability | None = Field(description="Of a guess, also of one too weak to be taken; else null.")
    turns: int = Field(description="How many turns they have in this role.")


class LeftOutAnswer(BaseModel):
    """Something of a transcript that became no turn."""

    where: str = Field(description="A JSON pointer (RFC 6901) or a line.")
    reason: str = Field(description="Why, without words of the transcript.")


class Source(BaseModel):
    """How a transcript was read."""

    format: str = Field(description="The format that it was found to be of.")
    speakers: list[SpeakerAnswer] = Field(description="Who speaks, and how each role was found.")
    left_out: list[LeftOutAnswer] = Field(description="What became no turn, and why; at most 100.")
    categories: list[str] = Field(description="What the source itself had found, in its own words; not scored.")


class Abstained(BaseModel):
    """A part of the answer that is null, and why."""

    of: str = Field(description="mis_selling, empathy, practice or signals.")
    code: str = Field(
        description="A stable code. no_agent_turns, no_customer_turns: nobody speaks for that side; roles_unknown: "
        "it is not known who does; language_not_english: that side speaks mostly another language; too_little_said: "
        "fewer than three words; text_too_damaged: most words are redacted, lone letters or no words."
    )
    detail: str = Field(description="What to do to get a score.")


class Usage(BaseModel):
    """How much was scored."""

    turns: int = Field(description="Turns in the conversation.")
    tokens: int = Field(description="Tokens that the model read, each counted once.")


class RedactionCounts(BaseModel):
    """How many identifiers of each kind were masked in the turns' texts."""

    email: int = Field(description="`[EMAIL]`: e-mail addresses.")
    card: int = Field(description="`[CARD]`: card numbers, or parts of them.")
    date_of_birth: int = Field(description="`[DATE_OF_BIRTH]`: dates of birth.")
    phone: int = Field(description="`[PHONE]`: telephone numbers.")
    address: int = Field(description="`[ADDRESS]`: houses with their streets, flats, boxes and postcodes.")
    number: int = Field(description="`[NUMBER]`: numbers of accounts, policies, orders, papers and the like.")
    name: int = Field(description="`[NAME]`: names of people.")


class ScoreAnswer(BaseModel):
    """The score of a conversation."""

    conversation_id: str | None = Field(description="As sent; null if none was, unless it is stored.")
    model_version: str = Field(description="The release that answers; another one may score differently.")
    label_set_version: str = Field(description="The version of the definitions at /v1/labels.")
    mis_selling: MisSelling | None = Field(description="Null where the agent cannot be judged; see abstained.")
    empathy: Empathy | None = Field(description="Null where the agent cannot be judged; see abstained.")
    practice: Practice | None = Field(description="Null where the agent cannot be judged; see abstained.")
    signals: Signals | None = Field(description="Null where the customer cannot be judged; see abstained.")
    turns: list[TurnAnswer] = Field(description="In the order sent; empty if options.turns is false.")
    truncated: list[Truncation] = Field(description="Nothing is cut off at present: over a limit is an error.")
    abstained: list[Abstained] = Field(description="What is null here, and why.")
    usage: Usage = Field(description="Turns and tokens that went into this answer.")
    source: Source | None = Field(description="How the transcript was read; null for a conversation.")
    redaction: RedactionCounts | None = Field(
        default=None, description="What was masked; null unless options.redact asked for it."
    )
    stored: bool = Field(default=False, description="Whether this answer is stored, as options.store asked.")
    expires_at: datetime | None = Field(default=None, description="When it is deleted; null if it is not stored.")


def _rounded(table: Any) -> dict[str, float]:
    return {name: round(value, _DIGITS) for name, value in table.items()}


def redaction_counts(redaction: Redaction | None) -> RedactionCounts | None:
    """The wire form of how much was masked; `None` where nothing was asked to be."""
    return RedactionCounts(**{kind.value: redaction.counts.get(kind, 0) for kind in Kind}) if redaction else None


def masked_speakers(speakers: Sequence[Speaker], redaction: Redaction | None) -> tuple[Speaker, ...]:
    """The speakers with masks in place of names, where redaction is asked for."""
    if redaction is None:
        return tuple(speakers)
    return tuple(replace(speaker, label=redaction.speaker(speaker.label)) for speaker in speakers)


def _speaker_answer(speaker: Speaker) -> SpeakerAnswer:
    """The wire form of a speaker."""
    confidence = None if speaker.confidence is None else round(speaker.confidence, _DIGITS)
    return SpeakerAnswer(
        speaker=speaker.label, role=speaker.role, basis=speaker.basis, confidence=confidence, turns=speaker.turns
    )


def left_out_answers(left_out: Sequence[LeftOut]) -> list[LeftOutAnswer]:
    """The wire form of what was left out, the first of many."""
    return [LeftOutAnswer(where=item.where, reason=item.reason) for item in left_out[:MOST_LEFT_OUT]]


def _source_of(taken: Taken, categories: Sequence[str], redaction: Redaction | None) -> Source:
    """The wire form of how a transcript was read."""
    return Source(
        format=taken.format,
        speakers=[_speaker_answer(speaker) for speaker in masked_speakers(taken.speakers, redaction)],
        left_out=left_out_answers(taken.left_out),
        categories=list(categories),
    )


def turn_answer(id_: str, text: str, score: TurnScore, redaction: Redaction | None = None) -> TurnAnswer:
    """The wire form of a turn's score; with the redaction of its conversation, its words are masked."""
    categories, empathy, practice, signals = (
        _rounded(table) if table else None for table in (score.categories, score.empathy, score.practice, score.signals)
    )
    return TurnAnswer(
        id=id_,
        role=score.role,
        mis_selling=TurnMisSelling(risk=round(score.risk or 0.0, _DIGITS), categories=Categories(**categories))
        if categories
        else None,
        empathy=TurnEmpathy(**empathy) if empathy else None,
        practice=Practice(**practice) if practice else None,
        signals=Signals(**signals) if signals else None,
        evidence=[
            EvidenceSpan(
                label=span.label,
                start=span.start,
                end=span.end,
                text=redaction.evidence_text(score.turn, span.start, span.end)
                if redaction
                else text[span.start : span.end],
                score=round(span.score, _DIGITS),
            )
            for span in score.evidence
        ],
    )


def score_answer(
    conversation: Conversation,
    score: ConversationScore,
    *,
    model_version: str,
    label_set_version: str,
    turns: bool,
    taken: Taken | None = None,
    redaction: Redaction | None = None,
) -> ScoreAnswer:
    """The wire form of a conversation's score; with a redaction of the same conversation, its words are masked."""
    scored = score.risk is not None and score.band is not None and score.empathy_score is not None
    return ScoreAnswer(
        conversation_id=conversation.id,
        model_version=model_version,
        label_set_version=label_set_version,
        mis_selling=MisSelling(
            risk=round(score.risk, _DIGITS), band=score.band, categories=Categories(**_rounded(score.categories))
        )
        if score.risk is not None and score.band is not None
        else None,
        empathy=Empathy(score=round(score.empathy_score, _DIGITS), **_rounded(score.empathy))
        if score.empathy_score is not None
        else None,
        practice=Practice(**_rounded(score.practice)) if scored else None,
        signals=Signals(**_rounded(score.signals)) if score.signals else None,
        turns=[
            turn_answer(turn.id, turn.text, part, redaction)
            for turn, part in zip(conversation.turns, score.turns, strict=True)
        ]
        if turns
        else [],
        truncated=[],
        abstained=[Abstained(of=item.of, code=item.code, detail=item.detail) for item in score.abstained],
        usage=Usage(turns=len(conversation.turns), tokens=score.tokens),
        source=_source_of(taken, (redaction.conversation if redaction else conversation).source_categories, redaction)
        if taken
        else None,
        redaction=redaction_counts(redaction),
    )

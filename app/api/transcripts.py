"""POST /v1/transcripts/parse: any known transcript in, conversations with roles out; nothing is scored or kept."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from app.api import problems
from app.api.schemas import (
    LeftOutAnswer,
    Probability,
    RedactionCounts,
    left_out_answers,
    masked_speakers,
    redaction_counts,
)
from app.core.conversation import Channel, Conversation, Role
from app.core.errors import InvalidConversation, UnreadableTranscript
from app.core.text import redactions
from app.privacy.masks import redacted
from app.transcripts.document import Document
from app.transcripts.guess import guess
from app.transcripts.intake import Taken, parse_roles, take
from app.transcripts.registry import AUTO, format_choices
from app.transcripts.roles import Basis, Speaker

FormatQuery = Annotated[str, Query(alias="format", description="The format, where its content should not tell.")]
RolesQuery = Annotated[
    list[str] | None,
    Query(
        alias="roles",
        description="Who is who, where the transcript does not say: `A=agent,B=customer`; a label, a channel number "
        "or a domain. May be repeated.",
    ),
]

RedactQuery = Annotated[
    bool, Query(description="Whether to mask names, numbers, e-mail and postal addresses in the answer.")
]


class Redaction(BaseModel):
    """Where a mark stands for what was taken out."""

    start: int = Field(ge=0, description="First character, in Unicode code points.")
    end: int = Field(ge=1, description="End, exclusive.")


class ParsedTurn(BaseModel):
    """One utterance or message."""

    id: str = Field(description="The source's own id, or the index.")
    index: int = Field(ge=0, description="Its place in the conversation.")
    role: Role = Field(description="Who speaks; unknown where nobody can tell.")
    speaker: str | None = Field(description="As the source labels them.")
    text: str = Field(description="What was said or written, as the source has it.")
    start_ms: int | None = Field(description="From the start, or since 1970 where the source counts so; in ms.")
    end_ms: int | None = Field(description="The same for its end.")
    is_final: bool = Field(description="False for a recognition that nothing has made final.")
    confidence: Probability | None = Field(description="The recogniser's own.")
    redactions: list[Redaction] = Field(description="Marks in place of names and numbers.")
    source: str | None = Field(description="Where it stands in the source: a JSON pointer (RFC 6901) or a line.")


class ParsedConversation(BaseModel):
    """A conversation in softsell's own shape."""

    id: str | None = Field(description="The source's id.")
    channel: Channel | None = Field(description="voice or chat, where it is certain.")
    turns: list[ParsedTurn] = Field(description="In the order spoken.")
    metadata: dict[str, str] = Field(description="Some values of use to a reviewer.")
    categories: list[str] = Field(description="What the source itself had found, in its own words.")
    redaction: RedactionCounts | None = Field(
        default=None, description="What was masked of it; null unless `redact` asked for it."
    )


class RoleAnswer(BaseModel):
    """A speaker's role and how it was found."""

    role: Role = Field(description="The role.")
    basis: Basis = Field(description="source, map, name, remaining, guess or none.")
    confidence: Probability | None = Field(description="Of a guess, also of one too weak to be taken.")
    turns: int = Field(description="How many turns.")


class ParsedOne(BaseModel):
    """One of several conversations."""

    conversation: ParsedConversation = Field(description="The conversation.")
    roles: dict[str, RoleAnswer] = Field(description="By the speaker's label; empty for turns without one.")
    left_out: list[LeftOutAnswer] = Field(description="What became no turn, and why; at most 100.")
    line: int | None = Field(description="Where it stands in a document of one conversation a line.")


class ParseFailure(BaseModel):
    """A part that could not be read."""

    line: int | None = Field(description="Where, if the document holds one conversation a line.")
    detail: str = Field(description="What is wrong there.")


class ParseAnswer(BaseModel):
    """A document as it was read: `conversation` where it holds one, `conversations` where it holds several."""

    format: str = Field(description="The format that it was found to be of.")
    conversation: ParsedConversation | None = Field(description="The conversation; null if there are several.")
    roles: dict[str, RoleAnswer] = Field(description="By the speaker's label; empty for turns without one.")
    left_out: list[LeftOutAnswer] = Field(description="What became no turn, and why; at most 100.")
    conversations: list[ParsedOne] = Field(description="All of several; empty if there is one.")
    errors: list[ParseFailure] = Field(description="Parts of several that could not be read; at most 100.")


_MOST_ERRORS = 100


def _roles(speakers: tuple[Speaker, ...]) -> dict[str, RoleAnswer]:
    found: dict[str, RoleAnswer] = {}
    for speaker in speakers:
        label = speaker.label or ""
        # A label may stand for two, as `internal` does for a bot and for who takes over.
        key = label if label not in found else f"{label} ({speaker.role})"
        found[key] = RoleAnswer(
            role=speaker.role, basis=speaker.basis, confidence=speaker.confidence, turns=speaker.turns
        )
    return found


def _parsed(conversation: Conversation) -> ParsedConversation:
    return ParsedConversation(
        id=conversation.id,
        channel=conversation.channel,
        turns=[
            ParsedTurn(
                id=turn.id,
                index=index,
                role=turn.role,
                speaker=turn.speaker,
                text=turn.text,
                start_ms=turn.start_ms,
                end_ms=turn.end_ms,
                is_final=turn.is_final,
                confidence=turn.confidence,
                redactions=[Redaction(start=start, end=end) for start, end in redactions(turn.text)],
                source=turn.pointer,
            )
            for index, turn in enumerate(conversation.turns)
        ],
        metadata=dict(conversation.metadata),
        categories=list(conversation.source_categories),
    )


def _one(taken: Taken, conversation: Conversation, *, redact: bool) -> ParsedOne:
    redaction = redacted(conversation) if redact else None
    parsed = _parsed(redaction.conversation if redaction else conversation)
    return ParsedOne(
        conversation=parsed.model_copy(update={"redaction": redaction_counts(redaction)}),
        roles=_roles(masked_speakers(taken.speakers, redaction)),
        left_out=left_out_answers(taken.left_out),
        line=taken.line,
    )


def checked_format(name: str) -> str:
    """A format that the registry knows. Raises `InvalidConversation` otherwise."""
    if name not in format_choices():
        raise InvalidConversation(f"`format` is one of {', '.join(format_choices())}")
    return name


def parse(body: bytes, only: str, roles: dict[str, Role], *, redact: bool = False) -> ParseAnswer:
    """The answer for a document, masked if asked for. Raises `UnreadableTranscript` if nothing of it can be read."""
    taken = list(take(Document.of(body), roles, only, guess))
    read = [(item, item.outcome) for item in taken if isinstance(item.outcome, Conversation)]
    failed = [(item.line, item.outcome) for item in taken if isinstance(item.outcome, UnreadableTranscript)]
    if not read:
        raise failed[0][1]
    found = [_one(item, outcome, redact=redact) for item, outcome in read]
    only_one = found[0] if len(taken) == 1 else None
    return ParseAnswer(
        format=read[0][0].format,
        conversation=only_one.conversation if only_one else None,
        roles=only_one.roles if only_one else {},
        left_out=only_one.left_out if only_one else [],
        conversations=[] if only_one else found,
        errors=[ParseFailure(line=line, detail=str(error)) for line, error in failed[:_MOST_ERRORS]],
    )


def router() -> APIRouter:
    """The routes of this noun."""
    routes = APIRouter(tags=["transcripts"])

    @routes.post(
        "/v1/transcripts/parse",
        operation_id="parseTranscript",
        summary="Read a transcript of any known format",
        responses=problems.declared(400, 408, 413, 422, 500),
        openapi_extra={"requestBody": _BODY},
    )
    async def parse_transcript(
        request: Request, only: FormatQuery = AUTO, roles: RolesQuery = None, redact: RedactQuery = False
    ) -> ParseAnswer:
        """Turns, who speaks them and how that was found, and what was left out. Send the document as the body."""
        body = await request.body()
        return await asyncio.to_thread(parse, body, checked_format(only), parse_roles(roles or []), redact=redact)

    return routes


_BODY: dict[str, Any] = {
    "required": True,
    "description": "The document itself, under any media type; its format is found by its content.",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}

"""What is sent to be scored, as pydantic models with the bounds of one server.

Requests are strict: a number is no string, an unknown field is an error. Bounds come from the
server's own `Limits`, so its API document tells what it accepts; that is why the models are made by
a function.
"""

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.core.conversation import Channel, Conversation, Role, Turn
from app.engine.limits import Limits
from app.transcripts.registry import AUTO, format_choices

# The largest integer that every JSON reader keeps exactly.
_LARGEST_MS = 2**53 - 1
# More than any object here has, with room for some misspelt ones.
_MOST_FIELDS = 16
EXAMPLES: dict[str, dict[str, Any]] = {
    "call": {
        "summary": "A call with all fields",
        "value": {
            "conversation": {
                "id": "c-17",
                "channel": "voice",
                "turns": [
                    {
                        "id": "1",
                        "role": "agent",
                        "speaker": "Sam",
                        "text": "This plan is guaranteed to double your money, but you have to sign today.",
                        "start_ms": 0,
                        "end_ms": 4100,
                    },
                    {
                        "id": "2",
                        "role": "customer",
                        "text": "I would like to think about it. What does it cost?",
                        "start_ms": 4300,
                        "end_ms": 7000,
                    },
                ],
                "metadata": {"agent_id": "a-9", "customer_id": "k-4", "product": "savings plan"},
            },
            "options": {"evidence": True, "turns": True},
        },
    },
    "smallest": {
        "summary": "Only what is required",
        "value": {"conversation": {"turns": [{"role": "agent", "text": "What matters most to you in a new plan?"}]}},
    },
}


def _visible(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank_text", "has no visible character; leave empty turns out")
    return text


class Strict(BaseModel):
    """A part of a request."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, sent: Any) -> Any:
        """Say of a flood of unknown fields that it is one, instead of naming each, which takes time."""
        if isinstance(sent, dict) and len(sent) > _MOST_FIELDS:
            raise PydanticCustomError("too_many_fields", f"takes {len(cls.model_fields)} fields, not {len(sent)}")
        return sent


class Options(Strict):
    """What the answer holds, and whether anything is kept."""

    evidence: StrictBool = Field(default=True, description="Whether to name the words that show each label.")
    turns: StrictBool = Field(
        default=True, description="Whether to answer with each turn's score, or with the whole only."
    )
    redact: StrictBool = Field(
        default=False,
        description="Whether to mask names, numbers, e-mail and postal addresses in all that is answered and stored. "
        "Scores stay the same: they are made of the words as sent. Offsets go on counting in the text as sent; in a "
        "stored conversation they count in its masked text.",
    )
    store: StrictBool = Field(
        default=False,
        description="Whether to store the answer without any words, by `conversation.id`, in place of one stored "
        "before; metadata `customer_id` and `agent_id` are stored with it. Else nothing is.",
    )
    store_text: StrictBool = Field(default=False, description="Whether to store what was said as well.")

    @model_validator(mode="after")
    def _text_with_its_answer(self) -> "Options":
        if self.store_text and not self.store:
            raise PydanticCustomError("store_text_alone", "`store_text` needs `store`; send both or neither")
        return self


class ScoreBody(Strict):
    """A conversation or a transcript to score, whatever the bounds; see `score_request`."""

    conversation: Any = None
    transcript: Any = Field(
        None,
        description="In place of a conversation: a transcript of any known format, as text or as JSON. "
        "It may also be sent as the body itself.",
    )
    format: StrictStr = Field(AUTO, description="The transcript's format, where its content should not tell.")
    roles: dict[str, Role] = Field(
        default_factory=dict,
        description="Who is who in the transcript, where it does not say: a speaker's label, channel number or "
        "domain, and the role.",
    )
    options: Options = Field(
        default_factory=Options, description="What the answer holds, everything if left out, and whether to keep it."
    )

    @model_validator(mode="after")
    def _one_source(self) -> "ScoreBody":
        if (self.conversation is None) == (self.transcript is None):
            raise PydanticCustomError("one_source", "send either `conversation` or `transcript`")
        if self.format not in format_choices():
            raise PydanticCustomError("format", f"`format` is one of {', '.join(format_choices())}")
        return self

    def parsed(self) -> Conversation:
        """The conversation as the core has it; turns without id get their index, if no turn has it as id."""
        sent = self.conversation
        given = {turn.id for turn in sent.turns}
        turns: list[Turn] = []
        for index, turn in enumerate(sent.turns):
            id_, attempt = turn.id or str(index), 0
            while turn.id is None and id_ in given:
                attempt += 1
                id_ = f"{index}.{attempt}"
            turns.append(Turn(id_, turn.role, turn.text, turn.start_ms, turn.end_ms, turn.speaker))
            given.add(id_)
        return Conversation(tuple(turns), sent.id, sent.channel, sent.metadata)


def turn_body(limits: Limits) -> type[Strict]:
    """The model of a turn with the bounds of a server."""
    short = Annotated[StrictStr, Field(max_length=limits.max_id_characters)]
    id_ = Annotated[short, Field(min_length=1)]
    long = Annotated[
        StrictStr,
        Field(min_length=1, max_length=limits.max_turn_characters),
        AfterValidator(_visible),
    ]
    instant = Annotated[StrictInt, Field(ge=0, le=_LARGEST_MS)]

    class TurnBody(Strict):
        """One uninterrupted utterance or message."""

        id: id_ | None = Field(None, description="Your id of the turn, unique; its index in the list if left out.")
        role: Role = Field(description="Who speaks. Only agent and customer turns are scored; a bot is no agent.")
        text: long = Field(description="What was said or written, with at least one visible character.")
        start_ms: instant | None = Field(None, description="When the turn began, in ms from the start of the call.")
        end_ms: instant | None = Field(None, description="When the turn ended, in ms; not before start_ms.")
        speaker: short | None = Field(None, description="Who spoke, as your system names them; not scored.")

        @model_validator(mode="after")
        def _in_order(self) -> "TurnBody":
            if self.start_ms is not None and self.end_ms is not None and self.end_ms < self.start_ms:
                raise PydanticCustomError("times_out_of_order", "end_ms is before start_ms")
            return self

    return TurnBody


def score_request(limits: Limits) -> type[ScoreBody]:
    """The request model with the bounds of a server."""
    short = Annotated[StrictStr, Field(max_length=limits.max_id_characters)]
    id_ = Annotated[short, Field(min_length=1)]

    def few(metadata: Any) -> Any:
        if isinstance(metadata, dict) and len(metadata) > limits.max_metadata_entries:
            raise PydanticCustomError(
                "too_long", f"has {len(metadata)} entries; the limit is {limits.max_metadata_entries}"
            )
        return metadata

    turn = turn_body(limits)

    def distinct(turns: list[Any]) -> list[Any]:
        first_with: dict[str, int] = {}
        for index, turn in enumerate(turns):
            if turn.id is not None and first_with.setdefault(turn.id, index) != index:
                first = first_with[turn.id]
                raise PydanticCustomError("equal_ids", f"turns {first} and {index} have the same id; ids are unique")
        return turns

    class ConversationBody(Strict):
        """Turns in the order in which they were spoken, and what you want to keep with them."""

        id: short | None = Field(None, description="Your id of the conversation; repeated in the answer.")
        channel: Channel | None = Field(None, description="voice for a transcript of speech, chat for typed text.")
        turns: Annotated[list[turn], Field(min_length=1, max_length=limits.max_turns), AfterValidator(distinct)] = (  # type: ignore[valid-type]
            Field(
                description=f"All turns, oldest first; at most {limits.max_conversation_characters} characters of text."
            )
        )
        metadata: Annotated[dict[id_, short], BeforeValidator(few)] = Field(
            default_factory=dict,
            description="Your own names and values; neither scored nor logged.",
            json_schema_extra={"maxProperties": limits.max_metadata_entries},
        )

    class ScoreRequest(ScoreBody):
        """A conversation or a transcript to score."""

        # Absent beside a transcript, but never null on the wire.
        conversation: ConversationBody = Field(
            default_factory=lambda: None,  # type: ignore[assignment]
            description="What was said, by whom, in order.",
        )

    return ScoreRequest


def field_names(model: type[BaseModel]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """The field names of a model and of the models in it, by the field names that lead there."""
    schema = model.model_json_schema()
    found: dict[tuple[str, ...], tuple[str, ...]] = {}

    def look(part: dict[str, Any], place: tuple[str, ...]) -> None:
        part = next((form for form in part.get("anyOf", ()) if form.get("type") != "null"), part)
        part = part.get("items", part)
        if "$ref" in part:
            part = schema["$defs"][part["$ref"].rpartition("/")[2]]
        if fields := part.get("properties"):
            found[place] = tuple(fields)
            for name, inner in fields.items():
                look(inner, (*place, name))

    look(schema, ())
    return found

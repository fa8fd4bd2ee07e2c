"""What is sent as a batch, as items to store: one line each of JSON Lines, or one conversation each of documents.

Only as much is looked at here as an item needs to be told apart; whether it can be scored is found when it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pydantic import TypeAdapter

from app.api.bodies import read_json
from app.api.problems import Refused
from app.core.conversation import Conversation, Role
from app.core.errors import LimitExceeded, UnreadableTranscript
from app.jobs.files import duplicate_line, error_line
from app.store.batches import NewItem
from app.transcripts.document import Document
from app.transcripts.guess import guess
from app.transcripts.intake import Taken, take
from app.transcripts.reader import LeftOut
from app.transcripts.roles import Speaker

# What is gathered before it is stored together.
GROUP_ITEMS, GROUP_BYTES = 200, 1 << 20
# What is kept free in an id for the number of a line.
_NUMBER_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class ReadConversation:
    """A conversation of a document with how it was read, as it waits in the store."""

    conversation: Conversation
    format: str
    speakers: tuple[Speaker, ...]
    left_out: tuple[LeftOut, ...]

    def taken(self) -> Taken:
        """As the reader gave it."""
        return Taken(self.conversation, self.format, self.speakers, self.left_out)


READ = TypeAdapter(ReadConversation)


class Lines:
    """Cuts the parts of a body into its lines, holding one in memory; one that is too long is told, and not held."""

    def __init__(self, parts: AsyncIterator[bytes], most_bytes: int) -> None:
        self._parts = parts
        self._most_bytes = most_bytes
        self.digest = hashlib.sha256()

    async def each(self) -> AsyncIterator[tuple[int, bytes | None]]:
        """Each line that is not blank, with its number, from 1; `None` for one that is too long."""
        number, begun, too_long = 0, bytearray(), False
        async for part in self._parts:
            self.digest.update(part)
            *whole, rest = part.split(b"\n")
            for piece in whole:
                number += 1
                begun += piece
                if too_long or len(begun) > self._most_bytes:
                    yield number, None
                elif begun.strip():
                    yield number, bytes(begun)
                begun, too_long = bytearray(), False
            begun += rest
            if len(begun) > self._most_bytes:
                begun, too_long = bytearray(), True
        if too_long:
            yield number + 1, None
        elif begun.strip():
            yield number + 1, bytes(begun)


def of_line(number: int, line: bytes | None, most_bytes: int, most_id_characters: int) -> NewItem:
    """The item of a line; an error if it is too long, no JSON object, or has no `custom_id`."""

    def failed(code: str, detail: str) -> NewItem:
        return NewItem(number, None, None, error_line(None, number, code, detail), code)

    if line is None:
        return failed(LimitExceeded.code, f"the line is over {most_bytes} bytes; send fewer or shorter turns")
    try:
        value = read_json(line)
    except Refused as refusal:
        return failed(refusal.code, refusal.detail)
    id_ = value.get("custom_id") if isinstance(value, dict) else None
    if not isinstance(id_, str) or not 0 < len(id_) <= most_id_characters or not id_.isprintable():
        wanted = f"a string of 1 to {most_id_characters} printable characters"
        return failed("invalid_custom_id", f"send an object with a `custom_id`, {wanted}, in each line")
    return NewItem(number, id_, line)


def of_document(
    file: BinaryIO, name: str, roles: dict[str, Role], only: str, first: int, most_id_characters: int
) -> Iterator[NewItem]:
    """The items of a document of any known format, numbered from `first`; what cannot be read is an error."""
    shown = "".join(character if character.isprintable() else "\ufffd" for character in name)
    name = shown[: most_id_characters - _NUMBER_CHARACTERS] or "file"
    for index, taken in enumerate(take(Document(file), roles, only, guess)):
        number = first + index
        place = f":{taken.line}" if taken.line is not None else f"#{index + 1}" if index else ""
        custom_id = name + place
        outcome: Conversation | UnreadableTranscript = taken.outcome
        if isinstance(outcome, Conversation):
            try:
                yield NewItem(number, custom_id, READ.dump_json(_read(taken, outcome)))
                continue
            except ValueError:
                # Half of a surrogate pair: no text that could be written down.
                outcome = UnreadableTranscript("holds half of a surrogate pair; save it as UTF-8")
        line = error_line(custom_id, number, outcome.code, str(outcome))
        yield NewItem(number, custom_id, None, line, outcome.code)


def _read(taken: Taken, conversation: Conversation) -> ReadConversation:
    return ReadConversation(conversation, taken.format, taken.speakers, taken.left_out)


def duplicate(item: NewItem) -> bytes:
    """The error of an item whose `custom_id` came before."""
    return duplicate_line(item.custom_id, item.ordinal)


def fingerprint(options: dict[str, object], body_sha256: str) -> str:
    """What two requests of one `Idempotency-Key` have to agree on."""
    return hashlib.sha256(json.dumps([options, body_sha256], sort_keys=True).encode()).hexdigest()

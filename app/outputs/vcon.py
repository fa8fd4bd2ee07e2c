"""A conversation and its score as an IETF vCon (draft-ietf-vcon-vcon-core), which `app.transcripts` reads back.

Each turn is a dialog of type `text`, each speaker in each role a party, and the answer an `analysis` of
type `report`. A dialog must have a `start`, which a turn may lack: the time that a turn does have, as an
offset, stands in `softsell`, a parameter of an extension that a consumer need not know. A role, and a
conversation's id and channel, are those of the contact-centre extension (draft-ietf-vcon-cc-extension).
Metadata and source categories are not written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO
from uuid import UUID

from app.core.conversation import Conversation, Role, Turn
from app.outputs.result import About, Result

VERSION = "0.4.0"
EXTENSION = "softsell"
CONTACT_CENTRE = "cc"
SCHEMA = "ScoreAnswer"


def _new_uuid(created: datetime) -> str:
    """A UUID of version 8: the time in milliseconds, as the draft has it, and then chance alone."""
    chance = int.from_bytes(os.urandom(10), "big")
    value = (int(created.timestamp() * 1000) & ((1 << 48) - 1)) << 80 | chance
    return str(UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | 8 << 76 | 2 << 62))


def _date(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _party(speaker: str | None, role: Role) -> dict[str, str]:
    party = {} if speaker is None else {"name": speaker}
    return party if role is Role.UNKNOWN else party | {"role": role.value}


def _dialog(turn: Turn, party: int, began: datetime, about: dict[str, str]) -> dict[str, Any]:
    dialog: dict[str, Any] = {
        "type": "text",
        "start": _date(began + timedelta(milliseconds=turn.start_ms or 0)),
        "parties": party,
        "message_id": turn.id,
        "mediatype": "text/plain",
        "encoding": "none",
        "body": turn.text,
        EXTENSION: {"start_ms": turn.start_ms, "end_ms": turn.end_ms},
    }
    if turn.start_ms is not None and turn.end_ms is not None:
        dialog["duration"] = max(turn.end_ms - turn.start_ms, 0) / 1000
    return dialog | about


def vcon_of(
    conversation: Conversation,
    answer: Mapping[str, Any],
    *,
    created: datetime | None = None,
    uuid: str | None = None,
) -> dict[str, Any]:
    """The vCon of a conversation and its score, ready for JSON.

    Args:
        conversation: what was scored.
        answer: the API's answer to it, as JSON.
        created: when; now if left out. Offsets of turns count from it, as nobody knows when it was held.
        uuid: the vCon's own id; a new one if left out.
    """
    created = (created or datetime.now(UTC)).astimezone(UTC)
    parties: dict[tuple[str | None, Role], int] = {}
    for turn in conversation.turns:
        parties.setdefault((turn.speaker, turn.role), len(parties))
    about: dict[str, str] = {}
    if conversation.id is not None:
        about["interaction_id"] = conversation.id
    if conversation.channel is not None:
        about["interaction_type"] = conversation.channel.value
    return {
        "vcon": VERSION,
        "uuid": uuid or _new_uuid(created),
        "created_at": _date(created),
        "extensions": [CONTACT_CENTRE, EXTENSION],
        "parties": [_party(*who) for who in parties],
        "dialog": [_dialog(turn, parties[turn.speaker, turn.role], created, about) for turn in conversation.turns],
        "analysis": [
            {
                "type": "report",
                "dialog": list(range(len(conversation.turns))),
                "vendor": EXTENSION,
                "product": f"softsell {answer.get('model_version', '')}".rstrip(),
                "schema": SCHEMA,
                "mediatype": "application/json",
                "encoding": "json",
                "body": dict(answer),
            }
        ],
    }


class VconWriter:
    """Writes one vCon a line: a JSON document where there is one conversation, JSON Lines where there are more."""

    def __init__(self, file: BinaryIO, about: About) -> None:
        self._file = file
        self._about = about

    def write(self, result: Result) -> None:
        """Write one line."""
        answer = result.answer(self._about).model_dump(mode="json")
        line = json.dumps(vcon_of(result.conversation, answer), ensure_ascii=False)
        # Half of a surrogate pair in a transcript must not end the run.
        self._file.write(line.encode("utf-8", "replace") + b"\n")

    def finish(self) -> None:
        """Hand all lines to the file."""
        self._file.flush()

    def drop(self) -> None:
        """Nothing is held."""

"""Gong: transcripts of calls, with the parties beside them where a caller has put both together.

    {"requestId": "…", "records": {"totalRecords": 2, …},
     "callTranscripts": [{"callId": "…", "transcript": [{"speakerId": "…", "topic": "Pricing",
        "sentences": [{"start": 4200, "end": 7300, "text": "…"}]}]}],
     "calls": [{"metaData": {"id": "…"}, "parties": [{"speakerId": "…", "name": "…", "affiliation": "Internal"}]}]}

The transcripts name speakers by id alone. Who is of the company is told by `parties` of another answer
(`/v2/calls/extensive`): they are looked for beside a call's `transcript`, in the call of that id in
`calls`, and at the top. Without them, and where `affiliation` is `Unknown`, the role is unknown. A
single call, or `calls` of which each holds its own `transcript`, is read as well. Turns are sentences,
in milliseconds from the start; people talk at once, so that they are put in the order of their starts.

Source: https://help.gong.io/apidocs/retrieve-transcripts-of-calls-by-date-or-callids-v2callstranscript-2
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut, each
from app.transcripts.shared.fields import has, label, labels, objects, time_ms, words
from app.transcripts.shared.spoken import Spoken, in_order
from app.transcripts.tree import Node

_ROLES = {"internal": Role.AGENT, "external": Role.CUSTOMER}
_People = dict[str, tuple[Role, str]]


def _is_call(value: Any) -> bool:
    """Whether a value is a call with monologues of sentences."""
    monologues = value.get("transcript") if isinstance(value, dict) else None
    if not isinstance(monologues, list):
        return False
    return any(has(item, "sentences") and has(item, "speakerId") for item in monologues[:3])


def _calls(value: Any, name: str) -> list[Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _recognises(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("callTranscripts"), list):
        return True
    return _is_call(value) or any(_is_call(item) for item in _calls(value, "calls")[:10])


def _call_id(call: Node) -> str | None:
    return label(call, "callId") or label(call, "metaData", "id") or label(call, "id")


def _people(holder: Node) -> _People:
    found: _People = {}
    for party in objects(holder, "parties"):
        if id_ := label(party, "speakerId"):
            role = _ROLES.get((label(party, "affiliation") or "").lower(), Role.UNKNOWN)
            found[id_] = (role, label(party, "name") or label(party, "emailAddress") or id_)
    return found


def _call(call: Node, people: _People) -> Entry:
    found: list[Spoken] = []
    left_out: list[LeftOut] = []
    for monologue in call["transcript"].items():
        id_ = label(monologue, "speakerId")
        role, speaker = people.get(id_ or "", (Role.UNKNOWN, id_))
        sentences = monologue["sentences"]
        place = sentences.pointer
        for index, sentence in enumerate(sentences.items()):
            text = words(sentence, "text")
            if text is None:
                left_out.append(LeftOut(f"{place}/{index}", "no words"))
                continue
            start_ms, end_ms = time_ms(sentence, "start"), time_ms(sentence, "end")
            found.append(Spoken(role, text, start_ms, end_ms, speaker, f"{place}/{index}"))
    conversation = Conversation(
        in_order(found), _call_id(call), Channel.VOICE, source_categories=labels(call, "transcript", "topic")
    )
    return Entry(conversation, left_out=tuple(left_out))


def _read(root: Node) -> Iterator[Entry]:
    beside = {id_: _people(call) for call in objects(root, "calls") if (id_ := _call_id(call))}
    whole = _people(root)
    name = next((name for name in ("callTranscripts", "calls") if _calls(root.value, name)), None)
    if name is None or (name == "calls" and _is_call(root.value)):
        if "transcript" not in root.value:
            raise root["callTranscripts"].error("is empty; send at least one call")
        yield _call(root, whole or beside.get(_call_id(root) or "", {}))
        return
    yield from each(root[name], lambda call: _call(call, _people(call) or beside.get(_call_id(call) or "") or whole))


READER = JsonReader("gong", "Gong call transcripts", _recognises, _read)

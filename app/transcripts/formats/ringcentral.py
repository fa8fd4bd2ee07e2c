"""RingCentral: insights of a recorded call (RingCX, RingEX, formerly RingSense), and the older analysis.

    {"event": "/ai/ringsense/…/insights", "body": {"domain": "rcx", "sourceRecordId": "…", "callDirection": "Inbound",
       "speakerInfo": [{"speakerId": "33", "name": "…", "accountId": "…", "extensionId": "…"},
                       {"speakerId": "da", "name": "Customer", "accountId": null, "extensionId": null}],
       "insights": {"Transcript": [{"start": 4.5, "end": 14.7, "text": "…", "speakerId": "33"}], "Summary": [ … ]}}}

    {"jobId": "…", "api": "/ai/insights/v1/async/analyze-interaction", "status": "Success", "response": {
       "utteranceInsights": [{"start": 3.7, "end": 7.6, "text": "…", "confidence": 0.85, "speakerId": "0"}],
       "conversationalInsights": [{"name": "Topics", "values": [{"value": "…"}]}]}}

The first comes as an event, alone as the API gives it, or as one of the `records` of a session. Who
has an extension is staff, and so the agent; who has none keeps the role `unknown` and the name, since
a second colleague may have none. The second knows numbers of speakers only; the answer of speech to
text is alike, with `utterances`. Times are seconds. The vendor's printed samples are no strict JSON.

Source: https://developers.ringcentral.com/guide/notifications/event-filters/ace-event-filter,
https://developers.ringcentral.com/api-reference/AI-Conversation-Expert/getRecordingInsights and
https://github.com/ringcentral/ringcentral-api-docs (`analyze-interaction`)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut, each
from app.transcripts.shared.fields import has, inside, label, labels, objects, once, stated, time_ms, words
from app.transcripts.shared.spoken import Spoken, in_order
from app.transcripts.tree import Node

_People = dict[str, tuple[Role, str]]


def _is_call(value: Any) -> bool:
    return has(value, "speakerInfo") and has(value.get("insights"), "Transcript")


def _is_analysis(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    answer, api = value.get("response"), value.get("api")
    if has(value, "utteranceInsights") or has(answer, "utteranceInsights"):
        return True
    return has(answer, "utterances") and isinstance(api, str) and api.startswith("/ai/")


def _records(value: Any) -> list[Any]:
    found = value.get("records") if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _recognises(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    known = _is_call(value) or _is_call(value.get("body")) or _is_analysis(value) or _is_analysis(value.get("body"))
    return known or any(_is_call(item) for item in _records(value)[:3])


def _people(root: Node) -> _People:
    found: _People = {}
    for node in root["speakerInfo"].items():
        if id_ := label(node, "speakerId"):
            role = Role.AGENT if label(node, "extensionId") else Role.UNKNOWN
            found[id_] = (role, label(node, "name") or id_)
    return found


def _turns(utterances: Node, people: _People) -> tuple[list[Spoken], tuple[LeftOut, ...]]:
    found: list[Spoken] = []
    left_out: list[LeftOut] = []
    place = utterances.pointer
    for index, node in enumerate(utterances.items()):
        text = words(node, "text")
        if text is None:
            left_out.append(LeftOut(f"{place}/{index}", "no words"))
            continue
        speaker_id = label(node, "speakerId")
        role, speaker = people.get(speaker_id or "", (Role.UNKNOWN, speaker_id))
        start_ms, end_ms = time_ms(node, "start", 1000), time_ms(node, "end", 1000)
        confidence = node["confidence"].share()
        found.append(Spoken(role, text, start_ms, end_ms, speaker, f"{place}/{index}", confidence=confidence))
    return found, tuple(left_out)


def _call(root: Node) -> Entry:
    found, left_out = _turns(root["insights"]["Transcript"], _people(root))
    metadata = stated(
        direction=label(root, "callDirection"),
        session=label(root, "sourceSessionId"),
        owner_extension=label(root, "ownerExtensionId"),
    )
    id_ = label(root, "sourceRecordId") or label(root, "sourceSessionId")
    return Entry(Conversation(in_order(found), id_, Channel.VOICE, metadata), left_out=left_out)


def _analysis(root: Node) -> Entry:
    answer = root["response"] if isinstance(root["response"].value, dict) else root
    name = "utteranceInsights" if has(answer.value, "utteranceInsights") else "utterances"
    found, left_out = _turns(answer[name], {})
    topics = [item for item in objects(answer, "conversationalInsights") if label(item, "name") == "Topics"]
    conversation = Conversation(
        in_order(found),
        id=label(root, "jobId"),
        channel=Channel.VOICE,
        source_categories=once(name for topic in topics for name in labels(topic, "values", "value")),
    )
    return Entry(conversation, left_out=left_out)


def _record(node: Node) -> Entry:
    if not _is_call(node.value):
        raise node.error("holds no `insights` with a `Transcript`")
    return _call(node)


def _read(node: Node) -> Iterator[Entry]:
    records = _records(node.value)
    if not records or _is_call(node.value):
        inner = inside(node, "body")
        root = inner if _is_call(inner.value) or _is_analysis(inner.value) else node
        yield _call(root) if _is_call(root.value) else _analysis(root)
        return
    yield from each(node["records"], _record)


READER = JsonReader("ringcentral", "RingCentral insights", _recognises, _read)

"""Twilio Conversational Intelligence: the sentences of a transcript, of one page or of all in a list.

    {"sentences": [{"media_channel": 1, "sentence_index": 0, "start_time": 0.62, "end_time": 1.5,
                    "transcript", "sid", "confidence", "words": […]}],
     "meta": {"key": "sentences", "page": 0, "next_page_url": null, "url": ".../v2/Transcripts/GT.../Sentences"}}

Times are in seconds, as numbers or as texts, or null; the order is that of `sentence_index`. Which of
the channels is the agent's is a matter of configuration: the transcript's own resource says it in
`channel.participants`, which is used if it stands beside the sentences. The results of operators are
another document; beside the sentences they are categories, alone they hold no words.
See https://www.twilio.com/docs/conversational-intelligence/api/transcript-sentence-subresource.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut
from app.transcripts.shared.fields import label, labels, time_ms, words
from app.transcripts.shared.spoken import Spoken, numbered
from app.transcripts.tree import Node

_SID = re.compile(r"/Transcripts/(GT\w{1,64})(?!\w)", re.ASCII)
_ROLES = {"agent": Role.AGENT, "customer": Role.CUSTOMER}


def _is_sentence(value: Any) -> bool:
    return isinstance(value, dict) and "media_channel" in value and "transcript" in value


def _is_page(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    sentences, meta = value.get("sentences"), value.get("meta")
    if isinstance(sentences, list) and sentences:
        return _is_sentence(sentences[0])
    return isinstance(sentences, list) and isinstance(meta, dict) and meta.get("key") == "sentences"


def _is_operators(value: Any) -> bool:
    """Whether it holds what was found in a transcript, and not what was said."""
    return isinstance(value, dict) and isinstance(value.get("operator_results"), list) and "sentences" not in value


def _transcript_of(value: Any) -> str | None:
    """The id of the transcript that a page is of, which only its address tells."""
    meta = value.get("meta") if isinstance(value, dict) else None
    url = meta.get("url") if isinstance(meta, dict) else None
    match = _SID.search(url) if isinstance(url, str) else None
    return match.group(1) if match else None


def _recognises(value: Any) -> bool:
    if isinstance(value, list) and value:
        pages = all(map(_is_page, value)) and len({_transcript_of(page) for page in value}) == 1
        return pages or _is_sentence(value[0])
    return _is_page(value) or _is_operators(value)


def _roles(root: Node) -> dict[str, Role]:
    """The role of each channel, where the transcript's own resource is at hand."""
    channel = root.value.get("channel") if isinstance(root.value, dict) else None
    people = channel.get("participants") if isinstance(channel, dict) else None
    if not isinstance(people, list):
        return {}
    return {
        str(person.get("channel_participant")): _ROLES.get(str(person.get("role")).casefold(), Role.UNKNOWN)
        for person in people
        if isinstance(person, dict)
    }


def _spoken(node: Node, text: str, roles: dict[str, Role]) -> Spoken:
    channel = label(node, "media_channel")
    return Spoken(
        roles.get(channel or "", Role.UNKNOWN),
        text,
        time_ms(node, "start_time", 1000),
        time_ms(node, "end_time", 1000),
        None if channel is None else f"channel {channel}",
        node.pointer,
        label(node, "sid"),
        node["confidence"].share(),
    )


def _read(root: Node) -> Iterator[Entry]:
    if _is_operators(root.value):
        raise root.error("holds results of language operators and no words; send the transcript's sentences")
    is_list = isinstance(root.value, list)
    lists = (
        [root] if is_list and _is_sentence(root.value[0]) else [page["sentences"] for page in root] if is_list else []
    )
    sentences = [node for part in lists or [root["sentences"]] for node in part]
    roles = _roles(root)
    indices = [node["sentence_index"].number() for node in sentences]
    if None not in indices:
        sentences = [sentences[at] for at in sorted(range(len(indices)), key=lambda at: indices[at] or 0)]
    found: list[Spoken] = []
    left_out: list[LeftOut] = []
    for node in sentences:
        if text := words(node, "transcript"):
            found.append(_spoken(node, text, roles))
        else:
            left_out.append(LeftOut(node.pointer, "no words"))
    last = list(root)[-1] if is_list else root
    if label(last, "meta", "next_page_url"):
        left_out.append(LeftOut(last["meta"]["next_page_url"].pointer, "further pages, which are not in the document"))
    conversation = Conversation(
        numbered(found),
        id=_transcript_of(last.value),
        channel=Channel.VOICE,
        source_categories=() if is_list else labels(root, "operator_results", "predicted_label"),
    )
    yield Entry(conversation, left_out=tuple(left_out))


READER = JsonReader("twilio_intelligence", "Twilio Conversational Intelligence", _recognises, _read)

"""Deepgram, a speech recogniser: the answer to a recording, or the messages of a live stream as a list.

    {"metadata": {"request_id": …, "channels": 2},
     "results": {"channels": [{"alternatives": [{"transcript", "words": [{"word", "punctuated_word", "start",
                 "end", "confidence", "speaker"}], "paragraphs": {"paragraphs": [{"speaker", "sentences"}]}}]}],
                 "utterances": [{"start", "end", "transcript", "confidence", "channel", "speaker", "id"}]}}

Times are in seconds. `utterances` are there only if asked for; without them the words of each channel
are cut where the speaker changes or pauses for as long as Deepgram waits by default. Channels and
speakers count from 0, and speakers anew on each channel. A live message that is not final is replaced
by the next one of its channel that starts before it ends. See https://developers.deepgram.com/reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut
from app.transcripts.shared.fields import inside, label, labels, time_ms, words
from app.transcripts.shared.messages import Message, lines_reader, messages_of
from app.transcripts.shared.recognised import PAUSE_MS, utterances
from app.transcripts.shared.spoken import Spoken, in_order
from app.transcripts.tree import Node

_WORD = ("punctuated_word", "word")
_FOUND = (
    ("topics", "segments", "topics", "topic"),
    ("intents", "segments", "intents", "intent"),
)


def _is_live_message(value: Any) -> bool:
    """Whether a value is a live message that holds words."""
    return (
        isinstance(value, dict)
        and value.get("type") == "Results"
        and isinstance(value.get("channel"), dict)
        and "alternatives" in value["channel"]
    )


def _recognises(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_is_live_message, value[:20]))
    if not isinstance(value, dict):
        return False
    results = value.get("results")
    if not isinstance(results, dict):
        return _is_live_message(value)
    channels, spoken = results.get("channels"), results.get("utterances")
    if isinstance(channels, list) and channels:
        return isinstance(channels[0], dict) and "alternatives" in channels[0]
    return isinstance(spoken, list) and bool(spoken) and isinstance(spoken[0], dict) and "transcript" in spoken[0]


def _utterance(node: Node) -> Spoken:
    return Spoken(
        Role.UNKNOWN,
        words(node, "transcript") or "",
        time_ms(node, "start", 1000),
        time_ms(node, "end", 1000),
        label(node, "speaker"),
        node.pointer,
        label(node, "id"),
        node["confidence"].share(),
        channel=label(node, "channel"),
    )


def _paragraph(node: Node) -> Spoken:
    text = " ".join(sentence["text"].text() for sentence in node["sentences"].items())
    start_ms, end_ms = time_ms(node, "start", 1000), time_ms(node, "end", 1000)
    return Spoken(Role.UNKNOWN, text, start_ms, end_ms, label(node, "speaker"), node.pointer)


def _of_alternative(node: Node) -> list[Spoken]:
    """What was said on a channel: by its words, else its paragraphs, else as a whole."""
    found = list(utterances(node["words"], 1000, _WORD, pause_ms=PAUSE_MS))
    paragraphs = node["paragraphs"]
    if not found and paragraphs.value is not None:
        found = [_paragraph(paragraph) for paragraph in paragraphs["paragraphs"].items()]
    if not found:
        text, confidence = words(node, "transcript") or "", node["confidence"].share()
        found = [Spoken(Role.UNKNOWN, text, None, None, None, node.pointer, confidence=confidence)]
    return found


def _of_channels(channels: Node) -> Iterator[Spoken]:
    for index, channel in enumerate(channels.items()):
        for alternative in channel["alternatives"].items()[:1]:
            for item in _of_alternative(alternative):
                yield item._replace(channel=str(index))


def _recording(root: Node) -> Entry:
    results = root["results"]
    found = [_utterance(node) for node in results["utterances"].items()]
    if not any(item.text for item in found):
        found = list(_of_channels(results["channels"]))
    count = inside(root, "metadata", "channels").number()
    conversation = Conversation(
        in_order(found, max(int(count or 1), len(results["channels"].items()))),
        id=label(root, "metadata", "request_id"),
        channel=Channel.VOICE,
        source_categories=tuple(text for path in _FOUND for text in labels(results, *path)),
    )
    return Entry(conversation)


def _live(messages: Iterable[Message]) -> Entry:
    """The conversation that live messages make."""
    found: list[Spoken] = []
    left_out: list[LeftOut] = []
    # On each channel, what was said in a message that is not final, and when it ended.
    pending: dict[str | None, tuple[str, list[Spoken], int | None]] = {}
    channels, id_ = 1, None
    for where, node in messages:
        if not _is_live_message(node.value):
            left_out.append(LeftOut(where, "a message without words"))
            continue
        index = node["channel_index"].items()
        channel = index[0].label() if index else None
        channels = max(channels, int(index[1].number() or 1) if len(index) > 1 else 1)
        id_ = id_ or label(node, "metadata", "request_id")
        start, lasts = time_ms(node, "start", 1000), time_ms(node, "duration", 1000)
        end = None if start is None or lasts is None else start + lasts
        is_final = node["is_final"].value is not False
        heard = [
            item._replace(
                start_ms=start if item.start_ms is None else item.start_ms,
                end_ms=end if item.end_ms is None else item.end_ms,
                pointer=where,
                is_final=is_final,
                channel=channel,
            )
            for best in node["channel"]["alternatives"].items()[:1]
            for item in _of_alternative(best)
        ]
        if channel in pending:
            earlier, partial, until = pending.pop(channel)
            if start is None or until is None or start < until:
                by = "a final one" if is_final else "a later one"
                left_out.append(LeftOut(earlier, f"partial, replaced by {by}"))
            else:
                found += partial
        if is_final:
            found += heard
        else:
            pending[channel] = (where, heard, end)
    found += [item for _, partial, _ in pending.values() for item in partial]
    return Entry(Conversation(in_order(found, channels), id=id_, channel=Channel.VOICE), left_out=tuple(left_out))


def _read(node: Node) -> Iterator[Entry]:
    is_recording = isinstance(node.value, dict) and isinstance(node.value.get("results"), dict)
    yield _recording(node) if is_recording else _live(messages_of(node))


READERS = (
    JsonReader("deepgram", "Deepgram", _recognises, _read),
    lines_reader("deepgram_live", "Deepgram, live messages", _is_live_message, _live),
)

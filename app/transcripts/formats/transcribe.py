"""Amazon Transcribe: the output of a plain job, with speaker labels, channel identification or neither.

    {"jobName": "…", "results": {
        "transcripts": [{"transcript"}],
        "items": [{"type": "pronunciation", "start_time": "4.87", "alternatives": [{"confidence", "content"}]}],
        "audio_segments": [{"transcript", "start_time", "end_time", "speaker_label", "channel_label", "items": []}],
        "speaker_labels": {"segments": [{"start_time", "speaker_label", "items": [{"start_time"}]}]},
        "channel_labels": {"channels": [{"channel_label": "ch_0", "items": []}]}}}

Newer jobs have `audio_segments`, each a turn; `items` then are the numbers of its words. Older ones
have words alone: those of a segment of `speaker_labels` make a turn, and those of a channel do until
it is silent for two seconds, or is at the end of a sentence when the other channel speaks.
Punctuation is a word without time, of the word before it. Times and confidences are texts, and
times are in seconds. Speakers are labels alone: who is the agent is for the caller to say. There is
no id of the call, so that the job's name stands for it. Turns are sorted by their start.
Source: Amazon Transcribe Developer Guide, "Data input and output", "Partitioning speakers" and
"Transcribing multi-channel audio".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut
from app.transcripts.shared.amazon import channel_name, speakers
from app.transcripts.shared.fields import label, labels, mean_share, stated, time_ms, words
from app.transcripts.shared.spoken import Spoken, in_order
from app.transcripts.tree import Node

_PAUSE_MS = 2000
_SENTENCE_ENDS = (".", "?", "!", "。", "？", "！")  # noqa: RUF001
_WORDS = frozenset({"items", "audio_segments", "speaker_labels", "channel_labels"})


@dataclass(frozen=True, slots=True)
class _Word:
    """A word or a mark of punctuation, which has no time."""

    text: str
    is_mark: bool
    start_ms: int | None
    end_ms: int | None
    confidence: Any
    label: str | None
    pointer: str


@dataclass(slots=True)
class _Run:
    """Words of one speaker that make a turn."""

    label: str | None
    pointer: str
    words: list[str] = field(default_factory=list)
    confidences: list[Any] = field(default_factory=list)
    start_ms: int | None = None
    end_ms: int | None = None

    def take(self, word: _Word) -> None:
        if word.is_mark and self.words:
            self.words[-1] += word.text
        else:
            self.words.append(word.text)
        if not word.is_mark:
            self.confidences.append(word.confidence)
            self.start_ms = word.start_ms if self.start_ms is None else self.start_ms
            self.end_ms = word.end_ms or self.end_ms

    def spoken(self, space: str) -> Spoken:
        text, confidence = space.join(self.words), mean_share(self.confidences)
        return Spoken(Role.UNKNOWN, text, self.start_ms, self.end_ms, self.label, self.pointer, confidence=confidence)


def _recognises(value: Any) -> bool:
    results = value.get("results") if isinstance(value, dict) else None
    return isinstance(results, dict) and "transcripts" in results and not _WORDS.isdisjoint(results)


def _words(items: Node, speaker: str | None = None) -> Iterator[_Word]:
    """The words of a list, each with its own speaker's label or else the one given."""
    for item in items.items():
        alternatives = item["alternatives"]
        best = next(iter(alternatives)) if alternatives.value else alternatives
        text = words(best, "content") if best.value else None
        if text is None:
            continue
        is_mark = item.value.get("type") == "punctuation"
        times = (None, None) if is_mark else (time_ms(item, "start_time", 1000), time_ms(item, "end_time", 1000))
        own = speaker or label(item, "speaker_label")
        yield _Word(text, is_mark, *times, best.value.get("confidence"), own, item.pointer)


def _by_segment(segments: Node, items: Node) -> list[_Run]:
    """A run for each segment of speaker labels, by the words that it lists, or else by its start."""
    runs: list[_Run] = []
    starts: list[tuple[int, int]] = []
    by_word: dict[int | None, int] = {}
    for index, segment in enumerate(segments.items()):
        runs.append(_Run(label(segment, "speaker_label"), segment.pointer))
        starts.append((time_ms(segment, "start_time", 1000) or 0, index))
        for item in segment["items"].items():
            by_word[time_ms(item, "start_time", 1000)] = index
    starts.sort()
    current = 0
    for word in _words(items):
        if word.start_ms is not None:
            listed = by_word.get(word.start_ms)
            begun = max(bisect_right(starts, (word.start_ms, len(runs))) - 1, 0)
            current = starts[begun][1] if listed is None else listed
        runs[current].take(word)
    return runs


def _by_channel(channels: Node) -> list[_Run]:
    """The turns of each channel, cut where it is silent, or ends a sentence and the other one speaks."""
    spoken: list[tuple[int, str, _Word]] = []
    for channel in channels.items():
        name, at = channel_name(label(channel, "channel_label") or str(len(spoken))), 0
        for word in _words(channel["items"], name):
            at = at if word.start_ms is None else word.start_ms
            spoken.append((at, name, word))
    spoken.sort(key=lambda found: found[0])
    runs: list[_Run] = []
    last: dict[str, _Run] = {}
    speaking = ""
    for at, name, word in spoken:
        run = last.get(name)
        if run is None or (not word.is_mark and _is_over(run, at, other_spoke=speaking != name)):
            run = last[name] = _Run(name, word.pointer)
            runs.append(run)
        run.take(word)
        speaking = speaking if word.is_mark else name
    return runs


def _is_over(run: _Run, at: int, other_spoke: bool) -> bool:
    return at - (run.end_ms or at) >= _PAUSE_MS or (other_spoke and run.words[-1].endswith(_SENTENCE_ENDS))


def _by_speaker(items: Node) -> list[_Run]:
    """A run for each change of the speaker that the words themselves name, if they do."""
    runs: list[_Run] = []
    for word in _words(items):
        if not runs or (not word.is_mark and word.label != runs[-1].label):
            runs.append(_Run(word.label, word.pointer))
        runs[-1].take(word)
    return runs


def _audio_segments(results: Node) -> tuple[list[Spoken], list[LeftOut]]:
    confidences = {
        item.get("id"): alternatives[0].get("confidence")
        for item in (results["items"].value if isinstance(results["items"].value, list) else ())
        if isinstance(item, dict) and item.get("type") != "punctuation" and isinstance(item.get("id"), int)
        for alternatives in (item.get("alternatives"),)
        if isinstance(alternatives, list) and alternatives and isinstance(alternatives[0], dict)
    }
    segments: list[tuple[Node, str]] = []
    left_out: list[LeftOut] = []
    for segment in results["audio_segments"].items():
        text = segment["transcript"].optional_text()
        if text and text.strip():
            segments.append((segment, text))
        else:
            left_out.append(LeftOut(segment.pointer, "no words"))
    names = speakers([(label(node, "speaker_label"), label(node, "channel_label")) for node, _ in segments])
    found: list[Spoken] = []
    for (node, text), speaker in zip(segments, names, strict=True):
        numbers = node["items"].value if isinstance(node["items"].value, list) else ()
        confidence = mean_share(
            confidences[number] for number in numbers if isinstance(number, int) and number in confidences
        )
        start_ms, end_ms = time_ms(node, "start_time", 1000), time_ms(node, "end_time", 1000)
        found.append(Spoken(Role.UNKNOWN, text, start_ms, end_ms, speaker, node.pointer, confidence=confidence))
    return found, left_out


def _runs(results: Node) -> list[_Run]:
    channels, segments = results["channel_labels"], results["speaker_labels"]
    if channels.value is not None and channels["channels"].items():
        return _by_channel(channels["channels"])
    if segments.value is not None and segments["segments"].items():
        return _by_segment(segments["segments"], results["items"])
    return _by_speaker(results["items"])


def _read(root: Node) -> Iterator[Entry]:
    results = root["results"]
    if results["audio_segments"].value:
        found, left_out = _audio_segments(results)
    else:
        written = next(iter(labels(results, "transcripts", "transcript")), None)
        # Languages that are written without spaces have none in the whole text either.
        space = "" if written and " " not in written else " "
        found, left_out = [run.spoken(space) for run in _runs(results) if run.words], []
    conversation = Conversation(
        in_order(found),
        id=label(root, "jobName"),
        channel=Channel.VOICE,
        metadata=stated(language=label(results, "language_code")),
    )
    yield Entry(conversation, left_out=tuple(left_out))


READER = JsonReader("transcribe", "Amazon Transcribe", _recognises, _read)

"""Azure Speech: the result file of a batch transcription, or the answer of fast transcription.

    {"source", "combinedRecognizedPhrases": […], "recognizedPhrases": [{"recognitionStatus": "Success",
     "channel": 0, "speaker": 1, "offset": "PT0.04S", "offsetInTicks", "durationInTicks",
     "nBest": [{"confidence", "lexical", "itn", "maskedITN", "display"}]}]}
    {"combinedPhrases": […], "phrases": [{"channel", "speaker", "offsetMilliseconds", "durationMilliseconds", "text"}]}

A tick is 100 ns; where ticks are missing, times are ISO 8601 durations or, in newer versions,
milliseconds. Channels count from 0, speakers from 1, and a file with several channels lists one after
the other. `display` is the punctuated text; the first of `nBest` is the most likely.
See https://learn.microsoft.com/azure/ai-services/speech-service/batch-transcription-get.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut
from app.transcripts.shared.fields import label, words
from app.transcripts.shared.spoken import Spoken, in_order
from app.transcripts.tree import Node

_TICK_MS = 1e-4
_TEXTS = ("display", "text", "maskedITN", "itn", "lexical")
_DURATION = re.compile(
    r"P(?:(\d{1,3})D)?T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?", re.ASCII | re.IGNORECASE
)


def _recognises(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return isinstance(value.get("recognizedPhrases"), list) or (
        "combinedPhrases" in value and isinstance(value.get("phrases"), list)
    )


def _milliseconds(phrase: Node, name: str) -> int | None:
    """A phrase's `offset` or `duration`, in whichever way it is given."""
    for field, unit_ms in ((f"{name}InTicks", _TICK_MS), (f"{name}Milliseconds", 1), (f"{name}InMs", 1)):
        if phrase[field].value is not None:
            return phrase[field].milliseconds(unit_ms)
    plain = phrase[name]
    if not isinstance(plain.value, str):
        return plain.milliseconds(_TICK_MS)
    match = _DURATION.fullmatch(plain.value)
    if not match:
        raise plain.error("must be an ISO 8601 duration, such as PT1.5S")
    days, hours, minutes, seconds = (float(group or 0) for group in match.groups())
    return plain.holding(((days * 24 + hours) * 60 + minutes) * 60 + seconds).milliseconds(1000)


def _spoken(phrase: Node, text: str, confidence: float | None) -> Spoken:
    start_ms, lasts_ms = _milliseconds(phrase, "offset"), _milliseconds(phrase, "duration")
    return Spoken(
        Role.UNKNOWN,
        text,
        start_ms,
        None if start_ms is None or lasts_ms is None else start_ms + lasts_ms,
        label(phrase, "speaker"),
        phrase.pointer,
        confidence=confidence,
        channel=label(phrase, "channel"),
    )


def _read(root: Node) -> Iterator[Entry]:
    found: list[Spoken] = []
    left_out: list[LeftOut] = []
    for phrase in root["phrases" if root["recognizedPhrases"].value is None else "recognizedPhrases"]:
        if phrase["recognitionStatus"].value not in (None, "Success"):
            left_out.append(LeftOut(phrase.pointer, "speech that was not recognised"))
            continue
        best = next(iter(phrase["nBest"].items()), phrase)
        text = words(best, *_TEXTS)
        if text:
            found.append(_spoken(phrase, text, best["confidence"].share()))
        else:
            left_out.append(LeftOut(phrase.pointer, "no words"))
    yield Entry(Conversation(in_order(found), channel=Channel.VOICE), left_out=tuple(left_out))


READER = JsonReader("azure_speech", "Azure Speech", _recognises, _read)

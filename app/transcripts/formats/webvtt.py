"""WebVTT: transcripts of Zoom, Microsoft Teams and Webex, and subtitles of anybody else.

    WEBVTT

    0f1b7c1e-…-5a3f/12-0                             an id of the cue, if any
    00:00:04.859 --> 00:00:07.410 align:start        hours may be missing; settings are passed over
    <v Anna Berg>So we begin.</v>                    Teams, with or without `</v>`
    Anna Berg: So we begin.                          Zoom

A cue may hold several voices, each a turn of its own. Zoom leaves the name out where the same person
goes on; such a cue is appended to the turn before it. Webex names the speaker in the id,
`3 "Anna Berg" (1234)`. Blocks of NOTE, STYLE and REGION are comments; a `NOTE Confidence: 0.9`,
as Microsoft Stream writes it, is the next cue's confidence. Tags other than voices are dropped and
entities decoded. A cue whose end is before its start has no end.

No library is used: webvtt-py 0.6.0 gives the words of a cue's second voice to the first, and none
tells names before a colon from other words.
Source: W3C, "WebVTT: The Web Video Text Tracks Format"; https://www.w3.org/TR/webvtt1/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.core.conversation import Channel, Conversation
from app.transcripts.document import Document
from app.transcripts.reader import Entry, Reader
from app.transcripts.shared.cues import read, with_line_feeds

_HEADER = re.compile(r"\ufeff?\s{0,100}WEBVTT(?:[ \t][^\r\n]*)?(?:[\r\n]|$)")
_TIMES = re.compile(r"[0-9]{1,2}:[0-9]{1,2}[.,][0-9]{1,3}[ \t]*-->[ \t]*[0-9]{1,4}:[0-9]")
_LANGUAGE = re.compile(r"^(?:NOTE[ \t]+)?language:[ \t]*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)[ \t]*$", re.I | re.M)


def _recognises(document: Document) -> bool:
    return bool(_HEADER.match(document.head)) and bool(_TIMES.search(document.head) or _TIMES.search(document.text))


def _read(document: Document) -> Iterator[Entry]:
    text = with_line_feeds(document.text)
    language = _LANGUAGE.search(text, 0, 2000)
    found = read(text, blank_lines_end_cues=True)
    metadata = {"language": language.group(1)} if language else {}
    yield Entry(Conversation(found.turns, channel=Channel.VOICE, metadata=metadata), left_out=found.left_out)


READER = Reader("webvtt", "WebVTT (Zoom, Microsoft Teams, Webex)", _recognises, _read)

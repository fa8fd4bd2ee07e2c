"""SRT (SubRip) subtitles, as recorders and transcribers write them out.

    1
    00:00:01,000 --> 00:00:04,000
    Agent: Good morning.

The format has no speaker: `Name: words` is a custom, as is `[SPEAKER_00]: words` of WhisperX; a cue
without a name goes on with the turn before it where others have one. Numbers may be missing or
repeated, a blank line between cues may be missing, and one may stand among a cue's words. Tags of HTML
and of SubStation Alpha are dropped. Points for commas are read too, so that WebVTT without its first
line is read here. There is no standard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.core.conversation import Channel, Conversation
from app.transcripts.document import Document
from app.transcripts.reader import Entry, Reader
from app.transcripts.shared.cues import read, with_line_feeds

_TIME = r"(?:[0-9]{1,4}:)?[0-9]{1,2}:[0-9]{1,2}[.,][0-9]{1,3}"
# The first cue must be whole: an arrow between two times in somebody's notes is no subtitle.
_FIRST_CUE = re.compile(
    rf"\s*\ufeff?(?:[0-9]{{1,9}}[ \t]*(?:\r\n|\n|\r))?[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}"
    r"(?:[ \t]+[A-Za-z][A-Za-z0-9]*:[^\s]+)*[ \t]*(?:[\r\n]|$)"
)


def _recognises(document: Document) -> bool:
    return bool(_FIRST_CUE.match(document.head))


def _read(document: Document) -> Iterator[Entry]:
    found = read(with_line_feeds(document.text), blank_lines_end_cues=False)
    yield Entry(Conversation(found.turns, channel=Channel.VOICE), left_out=found.left_out)


READER = Reader("srt", "SRT (SubRip) subtitles", _recognises, _read)

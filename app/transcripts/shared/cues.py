"""What the subtitle formats share: cues with their times, from which turns are made.

A cue is a line of times, `00:00:01.000 --> 00:00:04.000`, words on the lines below it up to a blank
one, and often a line above it that names it. Who speaks stands in a tag, `<v Name>`, before a colon,
`Name: words`, or nowhere. What is before a colon is taken for a name by how it looks and how often it
does so in the whole document, so that `One thing: it is dear` stays words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import unescape

from app.core.conversation import Role, Turn
from app.transcripts.reader import LeftOut
from app.transcripts.shared.names import before_colon, by_name, names_among
from app.transcripts.shared.spoken import Spoken, in_order

_TIME = r"([0-9]{1,4}(?::[0-9]{1,2})?):([0-9]{1,2})(?:[.,]([0-9]{1,3}))?"
_TIMES = rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}(?![0-9:])[^\n]*\n?"
_TIMES_LINE = re.compile(_TIMES)
_CUE = re.compile(rf"(?:([^\n]+)\n)?{_TIMES}")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?(?:[ \t]+([^<>]*))?>")
# Only tags that the formats have: `<NAME>` may be a mark of something taken out.
_TAG = re.compile(
    r"</?(?:c|i|b|u|s|em|strong|ruby|rt|lang|v|font|span|p|div|br)(?:[\s./][^<>]*)?>|<[0-9][0-9:.]*>|\{\\[^{}\n]{1,80}\}",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[0-9]{1,9}|[0-9a-fA-F-]{32,36}(?:/[0-9-]{1,20})?")
# Webex writes who speaks into the line that names the cue.
_NAMED_ID = re.compile(r'([0-9]{1,9}) "([^"]{1,80})" \([^()]{0,40}\)')
# How a line of times stands where it is written out in full, and what may follow it.
_ARROW, _AFTER_TIMES = " --> ", ("", " ", "\t")
_CONFIDENCE = re.compile(r"NOTE\s+Confidence:\s*(0(?:\.[0-9]{1,20})?|1(?:\.0{1,20})?)\s*")
_SPACES_ALONE = re.compile(r"\n[ \t]+(?=\n)")
_COMMENT = ("NOTE", "STYLE", "REGION", "WEBVTT")
_LONGEST_ID = 100

# What one voice says in one cue: the cue's id, start, end and line, the voice, the words and the confidence.
# The voice is empty where a tag names nobody, and `None` where no tag stands. Plain tuples: there are very many.
_Piece = tuple[str, int, int, int, str | None, str, float | None]


_NO_MORE: Iterator[tuple[str | None, str]] = iter(())


@dataclass(frozen=True, slots=True)
class Cues:
    """The turns of a document, and the blocks that are no cues."""

    turns: tuple[Turn, ...]
    left_out: tuple[LeftOut, ...]


class _Minutes(dict[str, int]):
    """Milliseconds of `01:02` or `02`; the same few come again and again."""

    def __missing__(self, key: str) -> int:
        hours, _, minutes = key.rpartition(":")
        self[key] = found = (int(hours or 0) * 60 + int(minutes)) * 60_000
        return found


class _Seconds(dict[str, int]):
    def __missing__(self, key: str) -> int:
        self[key] = found = int(key) * 1000
        return found


class _Fractions(dict[str | None, int]):
    def __missing__(self, key: str | None) -> int:
        self[key] = found = int((key or "0").ljust(3, "0"))
        return found


@cache
def _written_out() -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Milliseconds of the parts of a time as nearly every cue has it: of `00:01`, `:02` and `.345`."""
    minutes = {f"{number // 60:02}:{number % 60:02}": number * 60_000 for number in range(100 * 60)}
    seconds = {f":{number:02}": number * 1000 for number in range(60)}
    return minutes, seconds, {f"{mark}{number:03}": number for mark in ".," for number in range(1000)}


class _Pieces:
    """Collects what each voice says, block by block, a block being what stands between blank lines."""

    def __init__(self, blank_lines_end_cues: bool) -> None:
        self.found: list[_Piece] = []
        self.left_out: list[LeftOut] = []
        self._blank_lines_end_cues = blank_lines_end_cues
        self._confidence: float | None = None
        self._cue: tuple[str, int, int, int] | None = None
        self._times = (_Minutes(), _Seconds(), _Fractions())

    def read(self, text: str) -> None:
        """Take all blocks of a text."""
        minutes, seconds, thousandths = _written_out()
        following = 1
        for block in text.split("\n\n"):
            line = following
            following += block.count("\n") + 2
            id_, (times, _, body) = "", block.partition("\n")
            if times[12:17] != _ARROW:
                id_, (times, _, body) = times, body.partition("\n")
                line += 1
                if not id_ or times[12:17] != _ARROW or "-->" in id_ or id_.startswith("WEBVTT"):
                    self._any(block, line - 1)
                    continue
            if "-->" in body or times[29:30] not in _AFTER_TIMES:
                self._any(block, line - bool(id_))
                continue
            try:
                start = minutes[times[:5]] + seconds[times[5:8]] + thousandths[times[8:12]]
                end = minutes[times[17:22]] + seconds[times[22:25]] + thousandths[times[25:29]]
            except KeyError:
                self._any(block, line - bool(id_))
                continue
            self._take((id_, start, end, line), body)

    def _any(self, block: str, line: int) -> None:
        """A block that need not be a cue, or writes its times in another of the ways that there are."""
        match = _CUE.match(block)
        body = block[match.end() :] if match else ""
        if match is None or "-->" in body or block.startswith("WEBVTT"):
            self._odd(block, line)
            return
        minutes, seconds, fractions = self._times
        id_, start_m, start_s, start_f, end_m, end_s, end_f = match.groups()
        start = minutes[start_m] + seconds[start_s] + fractions[start_f]
        end = minutes[end_m] + seconds[end_s] + fractions[end_f]
        self._take((id_ or "", start, end, line + (id_ is not None)), body)

    def _take(self, cue: tuple[str, int, int, int], body: str) -> None:
        self._cue = cue
        if "<" in body or "&" in body or "{" in body or '"' in cue[0]:
            self._marked(body)
        elif body := body.strip():
            self.found.append((*cue, None, body, self._confidence))
        self._confidence = None

    def _marked(self, body: str) -> None:
        """The words of a cue that has tags or entities, or a speaker in its id."""
        id_, start, end, line = self._cue or ("", 0, 0, 0)
        if body.startswith("<v ") and "&" not in body:
            tags = body.count("<")
            closed = tags == 2 and body.endswith("</v>")
            name, opened, words = (body[3:-4] if closed else body[3:]).partition(">")
            if closed or (tags == 1 and opened and "{" not in words):
                words, name = words.strip(), name.strip()
                if words:
                    self.found.append((id_, start, end, line, "" if name == "-" else name, words, self._confidence))
                return
        voice = None
        if '"' in id_ and (named := _NAMED_ID.fullmatch(id_)):
            voice, id_ = named.group(2).strip(), named.group(1)
        parts = _VOICE.split(body)
        said = [(voice, parts[0]), *zip(map(_voice_name, parts[1::2]), parts[2::2], strict=True)]
        for name_, words in said:
            if words := _decoded(words):
                self.found.append((id_, start, end, line, name_, words, self._confidence))

    def _odd(self, block: str, line: int) -> None:
        """A block that is no plain cue: a comment, several cues without blank lines, or words astray."""
        if "-->" not in block and block.startswith(_COMMENT):
            note = _CONFIDENCE.fullmatch(block)
            self._confidence = float(note.group(1)) if note else None
            return
        minutes, seconds, fractions = self._times
        lines: list[str] = []
        first = line
        for number, text in enumerate(block.split("\n"), line):
            times = _TIMES_LINE.match(text) if "-->" in text else None
            if times is None:
                if text or lines:
                    lines.append(text)
                else:
                    first = number + 1
                continue
            id_ = lines.pop() if lines and (first < number and (len(lines) == 1 or _is_number(lines[-1]))) else ""
            if id_ and self._cue and first != line and not _is_number(id_):
                lines.append(id_)
                id_ = ""
            self._words("\n".join(lines), first, is_in_cue=first != line)
            groups = times.groups()
            start = minutes[groups[0]] + seconds[groups[1]] + fractions[groups[2]]
            end = minutes[groups[3]] + seconds[groups[4]] + fractions[groups[5]]
            self._cue = ("" if id_.startswith("WEBVTT") else id_.strip(), start, end, number)
            lines, first = [], number + 1
        self._words("\n".join(lines), first, is_in_cue=first != line)
        self._confidence = None

    def _words(self, text: str, line: int, is_in_cue: bool) -> None:
        """Words of a cue of an odd block, or words that no cue stands above."""
        if not text.strip():
            return
        if is_in_cue and self._cue:
            self._marked(text)
        elif text.startswith(_COMMENT):
            return
        elif self._blank_lines_end_cues or self._cue is None:
            self.left_out.append(LeftOut(f"line {line}", "a block that is no cue"))
        elif self.found and self.found[-1][:4] == self._cue:
            last = self.found[-1]
            self.found[-1] = (*last[:5], f"{last[5]}\n{_decoded(text)}", last[6])
        else:
            self._marked(text)


def _is_number(line: str) -> bool:
    return _NUMBER.fullmatch(line.strip()) is not None


def _voice_name(name: str | None) -> str:
    """The name in a tag; the hyphen of `<v ->` stands for nobody."""
    label = unescape(name or "").strip()
    return "" if label == "-" else label


def _decoded(text: str) -> str:
    if "<" in text or "{\\" in text:
        text = _TAG.sub("", text)
    return (unescape(text) if "&" in text else text).strip()


def with_line_feeds(text: str) -> str:
    """The text with the same lines, each ended by a line feed, and lines of spaces alone emptied."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\n \n" in text or "\n\t\n" in text or "\n  " in text:
        text = _SPACES_ALONE.sub("\n", text)
    return text


def _all_names(pieces: list[_Piece]) -> tuple[dict[str, str], bool]:
    """The names before colons, and whether anybody is named at all."""
    labels: dict[str, int] = {}
    unnamed, are_named = 0, False
    for _, _, _, _, voice, text, _ in pieces:
        if voice is None:
            unnamed += 1
            label, _, _ = text.partition(": ")
            if label in labels and "\n" not in text:
                labels[label] += 1
            else:
                for line in text.split("\n"):
                    if label := before_colon(line)[0]:
                        labels[label] = labels.get(label, 0) + 1
        elif voice:
            are_named = True
    names = names_among(labels, unnamed)
    return names, are_named or bool(names)


def read(text: str, blank_lines_end_cues: bool) -> Cues:
    """The turns of a text, one for each voice of a cue.

    Where anybody is named, a cue without a name goes on with the turn before it. Turns are sorted by
    their start if they are not in that order. Ids are the cues' own if each turn has one of its own.

    Args:
        text: with line feeds as ends of lines; see `with_line_feeds`.
        blank_lines_end_cues: whether what follows a blank line is no word of the cue.
    """
    pieces = _Pieces(blank_lines_end_cues)
    pieces.read(text)
    names, are_named = _all_names(pieces.found)
    return Cues(_turns(pieces.found, names, are_named), tuple(pieces.left_out))


def _turns(pieces: list[_Piece], names: dict[str, str], are_named: bool) -> tuple[Turn, ...]:
    ids = {piece[0] for piece in pieces}
    own = len(ids) == len(pieces) and "" not in ids and max(map(len, ids), default=0) <= _LONGEST_ID
    turns: list[Spoken] = []
    append, unknown = turns.append, Role.UNKNOWN
    # What goes on with a turn, and until when, by the turn's place: joined once, at the end.
    more: dict[int, tuple[list[str], int]] = {}
    for id_, start, end, line, voice, text, confidence in pieces:
        speaker, words, others = voice, text, _NO_MORE
        if voice is None and names:
            if "\n" in text or text.endswith(":"):
                others = by_name(text, names)
                speaker, words = next(others)
            else:
                label, _, after = text.partition(": ")
                if speaker := names.get(label):
                    words = after
        while True:
            if not words or words.isspace():
                pass
            elif are_named and not speaker and turns:
                texts, until = more.get(len(turns) - 1, ([turns[-1].text], turns[-1].end_ms or 0))
                texts.append(words)
                more[len(turns) - 1] = (texts, max(until, end))
            else:
                own_id = id_ if own else None
                append(Spoken(unknown, words, start, end, speaker or None, f"line {line}", own_id, confidence))
            if others is _NO_MORE or (following := next(others, None)) is None:
                break
            speaker, words = following
    for place, (texts, until) in more.items():
        turns[place] = turns[place]._replace(text=" ".join(texts), end_ms=until)
    return in_order(turns)

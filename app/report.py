"""A conversation's score as people read it in a terminal, or in what a terminal is piped into.

Without colour, the words that show a label are marked as `[words]{label 0.93}`; with it, they are
in colour, and the label follows them. Characters that would steer a terminal are shown as `�`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from rich.console import Console
from rich.text import Text

from app.core.calibration import Band
from app.core.conversation import Conversation, Role, Turn
from app.core.evidence import Evidence
from app.core.labels import MIS_SELLING, PRACTICE, names
from app.core.scores import ConversationScore
from app.core.turn_scores import TurnScore
from app.transcripts.roles import Basis, Speaker

BAND_MEANINGS = {
    Band.LOW: "leave it, unless something else calls for a look",
    Band.MEDIUM: "have a look at the turns below",
    Band.HIGH: "act: have it reviewed before the sale stands",
}
_BAND_STYLES = {Band.LOW: "green", Band.MEDIUM: "yellow", Band.HIGH: "bold red"}
_MIS_SELLING_STYLE, _PRACTICE_STYLE, _SIGNAL_STYLE, _EMPATHY_STYLE = "red", "green", "yellow", "cyan"
_BAR_CELLS = 20
_LABEL_CELLS = 20
_NARROWEST_CELLS = 20
_MOST_SPEAKERS = 4
_MOST_LABEL_CHARACTERS = 40
# Format characters that reorder what a terminal shows; others, such as joiners in emoji, stay.
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSEEN = ("Cc", "Cs", "Zl", "Zp")


def visible(text: str) -> str:
    """`text` with nothing in it that would steer a terminal, and as long as it was."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        "\ufffd" if c in _REORDERING or (c not in "\n\t" and unicodedata.category(c) in _UNSEEN) else c for c in text
    )


def parts(text: str, evidence: Sequence[Evidence]) -> Iterator[tuple[str, list[Evidence]]]:
    """A turn's text in pieces, each with the evidence that covers it; spans that overlap are cut where they do."""
    edges = sorted({0, len(text), *(edge for item in evidence for edge in (item.start, item.end))})
    for start, end in pairwise(edges):
        yield text[start:end], [item for item in evidence if item.start <= start and end <= item.end]


def _names(speakers: Sequence[Speaker], spelled: Callable[[Speaker, str], str]) -> str:
    labels = [
        (speaker, "turns without a speaker" if speaker.label is None else f'"{speaker.label[:_MOST_LABEL_CHARACTERS]}"')
        for speaker in speakers[:_MOST_SPEAKERS]
    ]
    more = len(speakers) - len(labels)
    return ", ".join([*(spelled(*label) for label in labels), *([f"{more} more"] if more else [])])


def roles_line(speakers: Sequence[Speaker]) -> str:
    """Whose role was guessed, and how surely, and whose is unknown; empty where every role is certain."""
    guessed = [speaker for speaker in speakers if speaker.basis is Basis.GUESS]
    unknown = [speaker for speaker in speakers if speaker.role is Role.UNKNOWN]
    told: list[str] = []
    if guessed:
        told.append(
            "Roles guessed: "
            + _names(guessed, lambda who, label: f"{label} is the {who.role} ({who.confidence or 0.0:.2f} sure)")
        )
    if unknown:
        whom = "they are" if any(speaker.role is Role.AGENT for speaker in speakers) else "is the agent"
        listed = _names(unknown, lambda _, label: label)
        told.append(f"Roles unknown: say who {whom} with --roles ({listed})")
    return visible(". ".join(told)).replace("\n", " ")


class Report:
    """Prints scores to one console; which parts, is decided once."""

    def __init__(self, console: Console, model_version: str, *, turns: bool = True) -> None:
        self._console = console
        self._model_version = model_version
        self._turns = turns
        self._coloured = console.color_system is not None and not console.no_color
        self._filled = "█" if console.encoding.lower().startswith("utf") else "#"

    def print(
        self, name: str, conversation: Conversation, score: ConversationScore, speakers: Sequence[Speaker] = ()
    ) -> None:
        """Print one conversation's score under `name`, and what `speakers` leave to be said of their roles."""
        for line in self._lines(name, conversation, score, roles_line(speakers)):
            self._print(line)
        self._print(Text())

    def _print(self, line: Text) -> None:
        # What is piped is one line a turn, for the next program; a terminal gets lines of its width.
        line.rstrip()
        self._console.print(line, soft_wrap=not self._console.is_terminal, highlight=False)

    def _lines(self, name: str, conversation: Conversation, score: ConversationScore, roles: str) -> Iterator[Text]:
        yield Text.assemble((visible(name), "bold"), (f"   {len(conversation.turns)} turns", "dim"))
        if roles:
            yield Text(roles, style="yellow")
        yield self._headline(score)
        if score.categories:
            yield from self._bars("Mis-selling", score.categories, _MIS_SELLING_STYLE)
        if score.empathy_score is not None:
            yield Text()
            yield Text.assemble(("Empathy ", "bold"), f"{score.empathy_score:.2f} of 1")
            yield from self._bars(None, score.empathy, _EMPATHY_STYLE)
        if score.practice:
            yield from self._bars("Fair practice", score.practice, _PRACTICE_STYLE)
        if score.signals:
            yield from self._bars("Customer signals", score.signals, _SIGNAL_STYLE)
        if self._turns:
            yield from self._turn_lines(conversation.turns, score.turns)
        if score.abstained:
            yield Text()
            yield Text("Not scored", style="bold")
            for item in score.abstained:
                yield Text(f"  {item.of:<{_LABEL_CELLS}} {item.code}: {item.detail}")
        yield Text()
        yield Text(f"model {self._model_version}", style="dim")

    def _headline(self, score: ConversationScore) -> Text:
        title = ("Mis-selling risk ", "bold")
        if score.risk is None or score.band is None:
            return Text.assemble(title, "not scored")
        style = _BAND_STYLES[score.band]
        band = (f"{score.risk:.2f}  {score.band.upper()}", style)
        return Text.assemble(title, band, f"  {BAND_MEANINGS[score.band]}")

    def _bars(self, title: str | None, table: Mapping[str, float], style: str) -> Iterator[Text]:
        if title:
            yield Text()
            yield Text(title, style="bold")
        for label, value in table.items():
            bar = self._filled * round(value * _BAR_CELLS)
            yield Text.assemble(f"  {label:<{_LABEL_CELLS}} {value:.2f} ", (bar, style))

    def _turn_lines(self, turns: Sequence[Turn], scores: Sequence[TurnScore]) -> Iterator[Text]:
        yield Text()
        yield Text.assemble(("Turns", "bold"), ("   number, speaker, risk, words", "dim"))
        number_cells = len(str(len(turns)))
        for number, (turn, score) in enumerate(zip(turns, scores, strict=True), 1):
            risk = "    " if score.risk is None else f"{score.risk:.2f}"
            opening = f"  {number:>{number_cells}} {turn.role:<8} {risk}  "
            words = self._marked(turn.text, score.evidence)
            if not self._console.is_terminal:
                words = Text(" ").join(words.split("\n"))
                yield Text.assemble((opening, "dim"), words)
                continue
            lines = words.wrap(self._console, max(_NARROWEST_CELLS, self._console.width - len(opening)))
            for index, line in enumerate(lines):
                yield Text.assemble((" " * len(opening) if index else opening, "dim"), line)

    def _marked(self, text: str, evidence: Sequence[Evidence]) -> Text:
        """The words of a turn with their labels."""
        marked = Text()
        for part, covering in parts(visible(text).replace("\t", " "), evidence):
            words = part.strip()
            if not covering or not words:
                marked.append(part)
                continue
            before, after = part.split(words)
            marked.append(before)
            labels = ", ".join(f"{item.label} {item.score:.2f}" for item in covering)
            style = _style_of(covering[0].label)
            if self._coloured:
                marked.append(words, f"bold {style} underline")
                marked.append(f" {labels} ", f"dim {style}")
            else:
                marked.append(f"[{words}]{{{labels}}}")
            marked.append(after)
        return marked


def _style_of(label: str) -> str:
    if label in names(MIS_SELLING):
        return _MIS_SELLING_STYLE
    return _PRACTICE_STYLE if label in names(PRACTICE) else _SIGNAL_STYLE

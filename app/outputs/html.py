"""One HTML page for people: all conversations by risk, then each with its words. No script and nothing from elsewhere.

Every text of a transcript is escaped and shown without characters that reorder it, and the page
forbids itself to load or run anything.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import IO, BinaryIO

from app.core.conversation import Turn
from app.core.evidence import Evidence
from app.core.labels import MIS_SELLING, PRACTICE, names
from app.core.scores import ConversationScore
from app.core.turn_scores import TurnScore
from app.outputs.chart import chart
from app.outputs.result import About, Result
from app.outputs.style import STYLE
from app.report import BAND_MEANINGS, parts, roles_line, visible

# Below it a category is noise, and naming it would only mislead.
_WORTH_NAMING = 0.2
_MOST_NAMED = 3
_NOTHING = "—"
_IN_MEMORY_BYTES = 1 << 24
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_LEGEND = (
    '<p>Words that show a label: <mark class="mis">mis-selling</mark> (solid), <mark class="fair">fair practice</mark> '
    '(dotted), <mark class="said">what the customer shows</mark> (dashed). Their labels stand below the turn, with the '
    "probability of the strongest word.</p>"
)


def _text(value: str) -> str:
    return escape(visible(value))


def _kind(label: str) -> str:
    if label in names(MIS_SELLING):
        return "mis"
    return "fair" if label in names(PRACTICE) else "said"


def _labels(evidence: Sequence[Evidence]) -> str:
    return ", ".join(f"{item.label} {item.score:.2f}" for item in evidence)


def _marked(text: str, evidence: Sequence[Evidence]) -> Iterator[str]:
    for part, covering in parts(visible(text), evidence):
        if covering and part.strip():
            yield f'<mark class="{_kind(covering[0].label)}" title="{_labels(covering)}">{escape(part)}</mark>'
        else:
            yield escape(part)


def _turn(number: int, turn: Turn, score: TurnScore) -> str:
    speaker = f" <bdi>{_text(turn.speaker)}</bdi>" if turn.speaker else ""
    risk = "" if score.risk is None else f", risk {score.risk:.2f}"
    shown = f"<small>{_labels(score.evidence)}</small>" if score.evidence else ""
    words = "".join(_marked(turn.text, score.evidence))
    return f"<li><small>{number} <b>{turn.role}</b>{speaker}{risk}</small><p>{words}</p>{shown}</li>\n"


def _band(score: ConversationScore) -> str:
    return "not scored" if score.band is None else f'<span class="band {score.band}">{score.band}</span>'


def _number(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f}"


def _named(categories: Mapping[str, float]) -> str:
    highest = sorted(categories.items(), key=lambda item: -item[1])[:_MOST_NAMED]
    return ", ".join(f"{label} {value:.2f}" for label, value in highest if value >= _WORTH_NAMING) or _NOTHING


def _scores(title: str, table: Mapping[str, float]) -> str:
    if not table:
        return ""
    cells = ", ".join(f"{label} {value:.2f}" for label, value in table.items())
    return f'<tr><th scope="row">{title}</th><td>{cells}</td></tr>\n'


def _conversation(result: Result, id_: str, about: About) -> Iterator[str]:
    score, roles = result.score, roles_line(result.taken.speakers)
    yield f'<section id="{id_}"><h2><bdi>{_text(result.conversation.id or result.where)}</bdi></h2>\n'
    yield f'<p class="dim">{_text(result.where)} · {len(result.conversation.turns)} turns</p>\n'
    if roles:
        yield f'<p class="note">{_text(roles)}</p>\n'
    meaning = "" if score.band is None else f": {BAND_MEANINGS[score.band]}"
    yield f"<p>Mis-selling risk <b>{_number(score.risk)}</b> {_band(score)}{meaning}. "
    yield f"Empathy <b>{_number(score.empathy_score)}</b> of 1.</p>\n"
    drawn = chart(score.turns, id_)
    if drawn:
        yield f"<figure>{drawn}<figcaption><small>Of each agent turn: mis-selling risk (solid line, circles) and "
        yield "empathy, the mean of its three dimensions (dashed line, squares).</small></figcaption></figure>\n"
    yield "<table>\n"
    yield _scores("Mis-selling", score.categories)
    yield _scores("Empathy", score.empathy)
    yield _scores("Fair practice", score.practice)
    yield _scores("Customer signals", score.signals)
    for item in score.abstained:
        yield f'<tr><th scope="row">{item.of}</th><td>not scored: {escape(item.detail)} ({item.code})</td></tr>\n'
    yield "</table>\n"
    if about.turns:
        yield "<h3>Turns</h3>\n<ol>\n"
        for number, (turn, part) in enumerate(zip(result.conversation.turns, score.turns, strict=True), 1):
            yield _turn(number, turn, part)
        yield "</ol>\n"
    yield '<p><a href="#top">Back to all conversations</a></p></section>\n'


class HtmlWriter:
    """Holds one line of the overview a conversation; the conversations wait in a temporary file."""

    def __init__(self, file: BinaryIO, about: About) -> None:
        self._file = file
        self._about = about
        self._rows: list[tuple[float, str]] = []
        self._bands: dict[str, int] = {}
        # Closed in `finish`, or with the writer.
        self._bodies: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115

    def write(self, result: Result) -> None:
        """Add one conversation."""
        id_, score = f"c{len(self._rows) + 1}", result.score
        self._bodies.writelines(part.encode("utf-8", "replace") for part in _conversation(result, id_, self._about))
        band = str(score.band or "not scored")
        self._bands[band] = self._bands.get(band, 0) + 1
        name = _text(result.conversation.id or result.where)
        self._rows.append(
            (
                -1.0 if score.risk is None else score.risk,
                f'<tr><td><a href="#{id_}"><bdi>{name}</bdi></a><br><small>{_text(result.where)}</small></td>'
                f"<td>{_number(score.risk)}</td><td>{_band(score)}</td><td>{_named(score.categories)}</td>"
                f"<td>{_number(score.empathy_score)}</td><td>{len(result.conversation.turns)}</td></tr>\n",
            )
        )

    def finish(self) -> None:
        """Write the page."""
        counted = ", ".join(
            f"{self._bands[band]} {band}" for band in ("high", "medium", "low", "not scored") if band in self._bands
        )
        about = self._about
        self._put(
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>softsell: {len(self._rows)} conversations</title>\n<style>{STYLE}</style>\n</head>\n"
            '<body id="top">\n'
            f"<h1>Mis-selling risk and empathy</h1>\n<p>Conversations: {len(self._rows)}"
            f"{f' ({counted})' if counted else ''}. Model {_text(about.model_version)}, label set "
            f"{_text(about.label_set_version)}.</p>\n{_LEGEND if about.turns else ''}\n"
            '<div class="wide"><table>\n<caption class="dim">Highest risk first</caption>\n<thead><tr>'
            + "".join(
                f'<th scope="col">{title}</th>'
                for title in ("Conversation", "Risk", "Band", "Categories", "Empathy", "Turns")
            )
            + "</tr></thead>\n<tbody>\n"
        )
        for _, line in sorted(self._rows, key=lambda item: -item[0]):
            self._put(line)
        self._put("</tbody></table></div>\n")
        self._bodies.seek(0)
        shutil.copyfileobj(self._bodies, self._file)
        self._bodies.close()
        self._put("</body>\n</html>\n")

    def drop(self) -> None:
        """Let go of the temporary file."""
        self._bodies.close()

    def _put(self, part: str) -> None:
        self._file.write(part.encode("utf-8", "replace"))

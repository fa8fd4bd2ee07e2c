"""Two pictures of the results as SVG, without a library: turns a second, and cost against length."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from benchmarks.results import Results
from benchmarks.subjects import SUBJECTS
from benchmarks.tables import median

_WIDTH, _LABEL, _BAR, _TOP = 760, 240, 18, 40
_OWN, _OTHER = "#1f3b57", "#9aa7b4"
_PLOT, _LEFT = 260, 60
_DASHES = ("", "6 3", "2 2", "8 3 2 3", "1 3", "10 4", "4 4", "12 2", "3 6")


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'


def _stroke(name: str, dash: str) -> str:
    colour, width = (_OWN, 2.5) if name == "softsell" else ("#5f6b77", 1.2)
    return f'stroke="{colour}" stroke-width="{width}"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _picture(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" font-family="sans-serif">'
    )
    ground = f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", ground, *parts, "</svg>", ""])


def _best(results: Results, name: str, load: str) -> float | None:
    clients = {key.split("/")[3] for key, _ in results if key.startswith(f"throughput/{name}/{load}/")}
    found = [median(results.rounds("throughput", name, load, number), "turns_per_s") for number in clients]
    return max((value for value in found if value), default=None)


def bars(results: Results) -> str | None:
    """Turns a second of each subject at its best number of clients: whole calls, and single turns without context."""
    parts: list[str] = []
    y = 0.0
    for load, title in (("calls", "Whole calls, turns/s"), ("bare", "Single turns without context, turns/s")):
        values = {name: value for name in SUBJECTS if (value := _best(results, name, load))}
        if not values:
            continue
        parts.append(_text(10, y + 24, title, size=14))
        most = max(values.values())
        for place, (name, value) in enumerate(values.items()):
            top = y + _TOP + place * (_BAR + 6)
            long = (_WIDTH - _LABEL - 70) * value / most
            colour = _OWN if name == "softsell" else _OTHER
            parts.append(_text(_LABEL - 8, top + 13, SUBJECTS[name].title, "end"))
            parts.append(f'<rect x="{_LABEL}" y="{top:.1f}" width="{long:.1f}" height="{_BAR}" fill="{colour}"/>')
            parts.append(_text(_LABEL + long + 6, top + 13, f"{value:,.0f}"))
        y += _TOP + len(values) * (_BAR + 6) + 10
    return _picture(_WIDTH, y + 6, "Turns a second, by server", parts) if parts else None


def _time(power: int) -> str:
    """10 to so many ms."""
    return f"{10.0**power:g} ms" if power < 3 else f"{10.0 ** (power - 3):g} s"


def _lines(left: float, title: str, series: Mapping[str, Sequence[tuple[int, float]]]) -> list[str]:
    lengths = sorted({turns for points in series.values() for turns, _ in points})
    times = [ms for points in series.values() for _, ms in points]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    high = max(high, low + 1)
    across = math.log10(lengths[-1] / lengths[0]) or 1.0

    def place(turns: int, ms: float) -> tuple[float, float]:
        return (
            left + math.log10(turns / lengths[0]) / across * _PLOT,
            _TOP + (high - math.log10(ms)) / (high - low) * _PLOT,
        )

    parts = [
        f'<rect x="{left}" y="{_TOP}" width="{_PLOT}" height="{_PLOT}" fill="none" stroke="#888"/>',
        _text(left + _PLOT / 2, _TOP - 12, title, "middle", 13),
        _text(left + _PLOT / 2, _TOP + _PLOT + 32, "turns of the conversation", "middle"),
    ]
    for power in range(low, high + 1):
        y = place(lengths[0], 10.0**power)[1]
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{left + _PLOT}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(_text(left - 4, y + 4, _time(power), "end", 11))
    parts += [_text(place(turns, 10.0**low)[0], _TOP + _PLOT + 15, f"{turns:,}", "middle", 11) for turns in lengths]
    for (name, points), dash in zip(series.items(), _DASHES, strict=False):
        spelled = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        told = f"<title>{escape(SUBJECTS[name].title)}</title>"
        parts.append(f'<polyline fill="none" {_stroke(name, dash)} points="{spelled}">{told}</polyline>')
    return parts


def lines(results: Results) -> str | None:
    """Milliseconds by turns, both in powers of ten: scored whole, and the newest turn live."""
    parts: list[str] = []
    names: list[str] = []
    left = float(_LEFT)
    for kind, title in (("whole", "Scored whole"), ("live", "Its newest turn, live")):
        series: dict[str, list[tuple[int, float]]] = {}
        for name in SUBJECTS:
            held = [key.split("/") for key, _ in results if key.startswith(f"lengths/{name}/")]
            # Live turns go alone to who remembers the others.
            by = "appended" if kind == "live" and any("appended" in key for key in held) else kind
            found = {int(key[3]) for key in held if key[2] == by}
            points = [(turns, median(results.rounds("lengths", name, by, str(turns)), "median_s")) for turns in found]
            if good := sorted((turns, seconds * 1e3) for turns, seconds in points if seconds):
                series[name] = good
        if not series:
            continue
        parts += _lines(left, title, series)
        names = names or list(series)
        left += _PLOT + _LEFT + 20
    if not parts:
        return None
    for place, (name, dash) in enumerate(zip(names, _DASHES, strict=False)):
        y = _TOP + 14 + place * 20
        start = left - 40
        parts.append(f'<line x1="{start}" y1="{y}" x2="{start + 34}" y2="{y}" {_stroke(name, dash)}/>')
        parts.append(_text(start + 40, y + 4, SUBJECTS[name].title))
    return _picture(left + 240, _TOP + _PLOT + 50, "Cost against the length of the conversation", parts)


def draw(results: Results) -> dict[str, str]:
    """File names and pictures, of what was measured."""
    drawn = {"throughput.svg": bars(results), "lengths.svg": lines(results)}
    return {name: picture for name, picture in drawn.items() if picture}

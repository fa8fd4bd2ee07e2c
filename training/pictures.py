"""Reliability and risk-coverage as SVG pictures, without a library, and readable in black and white."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from training.coverage import COVERAGES

_SIDE, _LEFT, _TOP, _BOTTOM, _GAP = 180, 46, 34, 40, 26
_LINE = 'fill="none" stroke="#1f3b57" stroke-width="1.5"'
_DASHES = ("", ' stroke-dasharray="6 3"')
Points = Sequence[tuple[float, float]]


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _path(left: float, top: float, points: Points, height: float, dash: str = "") -> str:
    spelled = " ".join(f"{left + x * _SIDE:.1f},{top + (1 - y / height) * _SIDE:.1f}" for x, y in points)
    return f'<polyline {_LINE}{dash} points="{spelled}"/>'


def _frame(left: float, top: float, title: str, height: float) -> list[str]:
    bottom = top + _SIDE
    return [
        f'<rect x="{left}" y="{top}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#888"/>',
        _text(left + _SIDE / 2, top - 8, title),
        _text(left, bottom + 14, "0"),
        _text(left + _SIDE, bottom + 14, "1"),
        _text(left - 4, bottom, "0", "end"),
        _text(left - 4, top + 8, f"{height:g}", "end"),
    ]


def _picture(columns: int, rows: int, title: str, parts: Sequence[str]) -> str:
    width = columns * (_SIDE + _LEFT + _GAP)
    height = rows * (_SIDE + _TOP + _BOTTOM)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'role="img" font-family="sans-serif" font-size="11">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def reliability(tables: Mapping[str, Mapping[str, Any]], columns: int = 4) -> str:
    """One square a label: mean probability of each bin across, share that came true up; a dot's area is its count."""
    parts: list[str] = []
    for place, (name, table) in enumerate(tables.items()):
        left = _LEFT + place % columns * (_SIDE + _LEFT + _GAP)
        top = _TOP + place // columns * (_SIDE + _TOP + _BOTTOM)
        points = [(mean, true) for _, _, mean, true in table["bins"]]
        parts += _frame(left, top, f"{name} ({table['positives']} of {table['cases']}, ECE {table['ECE']:.3f})", 1.0)
        parts.append(
            f'<line x1="{left}" y1="{top + _SIDE}" x2="{left + _SIDE}" y2="{top}" '
            'stroke="#aaa" stroke-dasharray="3 3"/>'
        )
        parts.append(_path(left, top, points, 1.0))
        for (x, y), (_, count, _, _) in zip(points, table["bins"], strict=True):
            radius = 2 + 6 * (count / table["cases"]) ** 0.5
            parts.append(
                f'<circle cx="{left + x * _SIDE:.1f}" cy="{top + (1 - y) * _SIDE:.1f}" r="{radius:.1f}" '
                f'fill="#1f3b57" fill-opacity="0.5"><title>{count} cases: {x:.3f} said, {y:.3f} true</title></circle>'
            )
        parts.append(_text(left + _SIDE / 2, top + _SIDE + 28, "probability said; up: share that came true"))
    rows = -(-len(tables) // columns)
    return _picture(min(columns, max(len(tables), 1)), max(rows, 1), "Reliability of each probability", parts)


def risk_coverage(curves: Mapping[str, Mapping[str, Any]]) -> str:
    """Error among the surest x of all cases: one line a risk, the first solid and the second dashed."""
    highest = max((error for curve in curves.values() for error in curve["errors"]), default=0.0)
    height = max(round(highest * 1.2, 2), 0.01)
    parts = _frame(_LEFT, _TOP, "error (up) among the surest", height)
    for (name, curve), dash in zip(curves.items(), _DASHES, strict=False):
        points = list(zip(COVERAGES, curve["errors"], strict=True))
        parts.append(_path(_LEFT, _TOP, points, height, dash))
        x, y = points[-1]
        label_y = _TOP + (1 - y / height) * _SIDE - 5
        parts.append(_text(_LEFT + x * _SIDE - 4, label_y, name, "end"))
    parts.append(_text(_LEFT + _SIDE / 2, _TOP + _SIDE + 28, "share of cases covered"))
    return _picture(1, 1, "Risk-coverage curves", parts)

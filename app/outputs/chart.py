"""How risk and empathy run over a call, as an SVG that stands within HTML: no script, and no colour alone."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.labels import EMPATHY_DIMENSIONS
from app.core.turn_scores import TurnScore

_WIDTH, _HEIGHT = 720, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 10, 10, 22
# Beyond so many points the marks would hide the line.
_MOST_MARKS = 80
_MARK = 3.5


def empathy_of(turn: TurnScore) -> float:
    """One number for an agent's turn: the mean of its three dimensions, 0 to 1."""
    return sum(turn.empathy[dimension.name] for dimension in EMPATHY_DIMENSIONS) / len(EMPATHY_DIMENSIONS)


def _y(value: float) -> float:
    return _TOP + (1 - value) * (_HEIGHT - _TOP - _BOTTOM)


def _line(points: Sequence[tuple[float, float]], kind: str) -> str:
    spelled = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{kind}" points="{spelled}"/>'


def _marks(points: Sequence[tuple[float, float]], kind: str, told: Sequence[str]) -> str:
    if len(points) > _MOST_MARKS:
        return ""
    shapes = {
        "risk": '<circle class="risk" cx="{x:.1f}" cy="{y:.1f}" r="{r}">',
        "empathy": '<rect class="empathy" x="{left:.1f}" y="{top:.1f}" width="{side}" height="{side}">',
    }
    closing = {"risk": "circle", "empathy": "rect"}[kind]
    return "".join(
        shapes[kind].format(x=x, y=y, r=_MARK, left=x - _MARK, top=y - _MARK, side=2 * _MARK)
        + f"<title>{title}</title></{closing}>"
        for (x, y), title in zip(points, told, strict=True)
    )


def chart(turns: Sequence[TurnScore], id_: str) -> str:
    """The SVG, or an empty string where no turn is the agent's.

    Args:
        turns: of one conversation.
        id_: unique in the page; letters, digits and hyphens.
    """
    scored = [(number, turn.risk, empathy_of(turn)) for number, turn in enumerate(turns, 1) if turn.risk is not None]
    if not scored:
        return ""
    last = max(2, len(turns))
    across = [_LEFT + (number - 1) / (last - 1) * (_WIDTH - _LEFT - _RIGHT) for number, _, _ in scored]
    risks = [(x, _y(risk)) for x, (_, risk, _) in zip(across, scored, strict=True)]
    empathies = [(x, _y(empathy)) for x, (_, _, empathy) in zip(across, scored, strict=True)]
    worst = max(scored, key=lambda item: item[1])
    warmest = max(scored, key=lambda item: item[2])
    grid = "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_y(value):.1f}" y2="{_y(value):.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{_y(value) + 4:.1f}" text-anchor="end">{value:g}</text>'
        for value in (0, 0.5, 1)
    )
    axis = (
        f'<text x="{_LEFT}" y="{_HEIGHT - 5}">turn 1</text>'
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 5}" text-anchor="end">turn {len(turns)}</text>'
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="{id_}-title {id_}-desc">'
        f'<title id="{id_}-title">Mis-selling risk and empathy of each agent turn</title>'
        f'<desc id="{id_}-desc">Over {len(turns)} turns, {len(scored)} of them the agent\'s, risk is highest at turn '
        f"{worst[0]} with {worst[1]:.2f}, and empathy at turn {warmest[0]} with {warmest[2]:.2f}.</desc>"
        + grid
        + axis
        + _line(empathies, "empathy")
        + _line(risks, "risk")
        + _marks(empathies, "empathy", [f"turn {number}: empathy {value:.2f}" for number, _, value in scored])
        + _marks(risks, "risk", [f"turn {number}: risk {value:.2f}" for number, value, _ in scored])
        + "</svg>"
    )

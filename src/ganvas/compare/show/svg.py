"""Charts as inline SVG: axes with labels, lines and bands, one colour and dash a variant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from ganvas.compare.show.chart import (
    BAND,
    DASHES,
    EXAMPLES,
    FAINT,
    FEW,
    ON_DARK,
    ON_WHITE,
    WIDTH,
    Chart,
    Line,
    count,
    limits,
    ticks,
)

# A page of charts needs no other module.
__all__ = ["COLOURS", "DARK", "LIGHT", "Line", "count", "panel", "style", "swatch", "ticks"]

COLOURS = len(ON_WHITE)  # of the style: .v0 to .v7


def _said(colours: Sequence[str]) -> str:
    return " ".join(f"--c{i}: {colour};" for i, colour in enumerate(colours))


LIGHT = f"--back: #ffffff; --ink: #1b1b1b; --soft: #5a5a5a; --rule: #d9d9d9; {_said(ON_WHITE)}"
DARK = f"--back: #16181b; --ink: #ececec; --soft: #a9adb3; --rule: #3a3e44; {_said(ON_DARK)}"
_RULES = f""".chart svg {{ height: auto; width: 100%; }}
.chart .title {{ fill: var(--ink); font-size: 14px; font-weight: 600; }}
.chart .tick {{ fill: var(--soft); font-size: 12px; }} .chart .rule {{ stroke: var(--rule); }}
.chart path, .swatch path {{ fill: none; stroke-width: {WIDTH}; }}
.chart path.faint {{ opacity: {FAINT}; stroke-width: 1; }}
.chart path.band {{ opacity: {BAND}; stroke: none; }}
.chart .axis {{ stroke: var(--soft); }}
.swatch {{ display: inline-block; height: 10px; margin-right: .6rem; width: 30px; }}
"""
_WIDTH, _HEIGHT = 480, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 22, 30, 44


def style() -> str:
    """CSS for charts in elements of class ``chart``, and for swatches.

    A page says :data:`LIGHT` or :data:`DARK` where its colours are chosen.
    """
    lines = [
        f"path.v{i} {{ stroke: var(--c{i}); }} circle.v{i} {{ fill: var(--c{i}); }} "
        f".chart path.band.v{i} {{ fill: var(--c{i}); }}"
        for i in range(COLOURS)
    ]
    return _RULES + "\n".join(lines)


def panel(tag: str, lines: Sequence[Line], x_label: str = EXAMPLES) -> str:
    """One chart of a tag against examples seen, or what the label says."""
    chart = Chart(tag, lines, x_label)
    examples = [x for line in lines for x in line.curve[0]]
    x_low, x_high = 0.0, float(max(examples)) or 1.0
    y_low, y_high = limits(lines)
    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + (x - x_low) / (x_high - x_low) * inner_width,
            _TOP + (1 - (y - y_low) / (y_high - y_low)) * inner_height,
        )

    title = escape(tag)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title} against {escape(x_label)}">',
        f'<text class="title" x="{_LEFT}" y="18">{title}</text>',
    ]
    for y in ticks(y_low, y_high):
        _, top = place(0, y)
        parts.append(
            f'<line class="rule" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{top:.1f}" y2="{top:.1f}"/>'
        )
        parts.append(f'<text class="tick" text-anchor="end" x="{_LEFT - 6}" y="{top + 4:.1f}">{y:.5g}</text>')
    for x in ticks(x_low, x_high):
        left, _ = place(x, y_low)
        parts.append(
            f'<text class="tick" text-anchor="middle" x="{left:.1f}" y="{_HEIGHT - 26}">{count(x)}</text>'
        )
    bottom, middle = _HEIGHT - _BOTTOM, _TOP + inner_height / 2
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{_WIDTH - _RIGHT}"/>')
    parts.append(
        f'<text class="tick" text-anchor="middle" x="{_LEFT + inner_width / 2}" y="{_HEIGHT - 8}">'
        f"{escape(x_label)}</text>"
    )
    parts.append(
        f'<text class="tick" text-anchor="middle" transform="translate(14 {middle}) rotate(-90)">'
        f"{escape(chart.y_label)}</text>"
    )
    parts += [_band(line, place) for line in lines if line.band is not None]  # behind all lines
    for line in sorted(lines, key=lambda one: not one.faint):
        parts.append(_drawn(line, [place(x, y) for x, y in zip(*line.curve, strict=True)]))
    return "\n".join([*parts, "</svg>"])


def swatch(variant: int) -> str:
    """The variant's line, for a legend."""
    return (
        f'<svg class="swatch" viewBox="0 0 36 10" aria-hidden="true"><path class="v{variant % COLOURS}" '
        f'{_dash(variant)}d="M1 5H35"/></svg>'
    )


def _band(line: Line, place: Callable[[float, float], tuple[float, float]]) -> str:
    assert line.band is not None
    (low, high), xs = line.band, line.curve[0]
    edge = [place(x, y) for x, y in zip(xs, high, strict=True)]
    edge += [place(x, y) for x, y in zip(xs[::-1], low[::-1], strict=True)]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in edge)
    return f'<path class="band v{line.variant % COLOURS}" d="M{path}Z"/>'


def _drawn(line: Line, points: Sequence[tuple[float, float]]) -> str:
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    colour = f"v{line.variant % COLOURS}"
    dots = [f'<circle class="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points]
    return (
        f"<g><title>{escape(line.name)}</title>"
        f'<path class="{colour}{" faint" if line.faint else ""}" {_dash(line.variant)}d="{path}"/>'
        + "".join(dots if len(points) <= FEW and not line.faint else [])
        + "</g>"
    )


def _dash(variant: int) -> str:
    dash = " ".join(map(str, DASHES[variant % len(DASHES)]))
    return f'stroke-dasharray="{dash}" ' if dash else ""

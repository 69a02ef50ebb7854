"""Curves as inline SVG: axes with labels, one line a run, one colour and dash a variant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from ganvas.compare.curves import Curve

COLOURS = 8  # of the style: .v0 to .v7
DASHES = ("", "7 3", "2 3", "9 3 2 3")
# Eight colours with a contrast of at least 3 against their background, told apart also by dashes.
LIGHT = """--back: #ffffff; --ink: #1b1b1b; --soft: #5a5a5a; --rule: #d9d9d9;
  --c0: #0072b2; --c1: #c04f00; --c2: #00795a; --c3: #a8487f; --c4: #7a6200; --c5: #1b1b1b; --c6: #6b4fc0;
  --c7: #b3261e;"""
DARK = """--back: #16181b; --ink: #ececec; --soft: #a9adb3; --rule: #3a3e44;
  --c0: #56b4e9; --c1: #f08a3c; --c2: #35c99b; --c3: #e59cc9; --c4: #f0e442; --c5: #ececec; --c6: #b6a2ff;
  --c7: #ff8a80;"""
_RULES = """.chart svg { height: auto; width: 100%; }
.chart .title { fill: var(--ink); font-size: 14px; font-weight: 600; }
.chart .tick { fill: var(--soft); font-size: 12px; } .chart .rule { stroke: var(--rule); }
.chart path, .swatch path { fill: none; stroke-width: 1.8; } .chart .axis { stroke: var(--soft); }
.swatch { display: inline-block; height: 10px; margin-right: .6rem; width: 30px; }
"""
_WIDTH, _HEIGHT = 480, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 22, 30, 44
_FEW = 12  # points; a line of so few shows them


class Line(NamedTuple):
    """A run's curve, and which variant's it is."""

    name: str
    variant: int
    curve: Curve


def style() -> str:
    """CSS for charts in elements of class ``chart``, and for swatches.

    A page says :data:`LIGHT` or :data:`DARK` where its colours are chosen.
    """
    lines = [
        f"path.v{i} {{ stroke: var(--c{i}); }} circle.v{i} {{ fill: var(--c{i}); }}" for i in range(COLOURS)
    ]
    return _RULES + "\n".join(lines)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from low to high, at least one, at most about ``most``: steps of 1, 2 or 5 times 10^k."""
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        return [low]
    step = 10.0 ** math.floor(math.log10(span / most))
    step = next((step * factor for factor in (1, 2, 5, 10) if span / (step * factor) <= most), step * 10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)] or [low]


def count(value: float) -> str:
    """A number of examples in short: 1500 as 1.5k."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def panel(tag: str, lines: Sequence[Line]) -> str:
    """One chart of a tag against examples seen."""
    examples = [x for line in lines for x in line.curve[0]]
    values = [y for line in lines for y in line.curve[1]]
    x_low, x_high = 0.0, float(max(examples)) or 1.0
    y_low, y_high = _widened(min(values), max(values))
    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + (x - x_low) / (x_high - x_low) * inner_width,
            _TOP + (1 - (y - y_low) / (y_high - y_low)) * inner_height,
        )

    title = escape(tag)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title} against examples seen">',
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
        "examples seen</text>"
    )
    parts.append(
        f'<text class="tick" text-anchor="middle" transform="translate(14 {middle}) rotate(-90)">'
        f"{escape(tag.rpartition('/')[2])}</text>"
    )
    for line in lines:
        parts.append(_drawn(line, [place(x, y) for x, y in zip(*line.curve, strict=True)]))
    return "\n".join([*parts, "</svg>"])


def swatch(variant: int) -> str:
    """The variant's line, for a legend."""
    return (
        f'<svg class="swatch" viewBox="0 0 36 10" aria-hidden="true"><path class="v{variant % COLOURS}" '
        f'{_dash(variant)}d="M1 5H35"/></svg>'
    )


def _drawn(line: Line, points: Sequence[tuple[float, float]]) -> str:
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    colour = f"v{line.variant % COLOURS}"
    dots = [f'<circle class="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points]
    return (
        f"<g><title>{escape(line.name)}</title>"
        f'<path class="{colour}" {_dash(line.variant)}d="{path}"/>'
        + "".join(dots if len(points) <= _FEW else [])
        + "</g>"
    )


def _dash(variant: int) -> str:
    dash = DASHES[variant % len(DASHES)]
    return f'stroke-dasharray="{dash}" ' if dash else ""


def _widened(low: float, high: float) -> tuple[float, float]:
    """The range with a little air; of one value, a range around it."""
    if low < high:
        air = 0.05 * (high - low)
        return low - air, high + air
    air = abs(low) * 0.1 or 1.0
    return low - air, high + air

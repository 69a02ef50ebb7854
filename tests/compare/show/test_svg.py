from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from ganvas.compare.show.svg import COLOURS, DARK, LIGHT, Line, count, panel, style, swatch, ticks


@pytest.mark.parametrize(
    ("low", "high"), [(0, 120_000), (0.7, 2.1), (-3, 1e-9), (1e300, 2e300), (1e-12, 3e-12), (-1e6, -1)]
)
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    there = ticks(low, high)
    assert 2 <= len(there) <= 7
    step = there[1] - there[0]
    assert f"{step:.6e}"[:8] in ("1.000000", "2.000000", "5.000000")
    assert all(b - a == pytest.approx(step) for a, b in pairwise(there))
    assert low - step * 1e-6 <= there[0]
    assert there[-1] <= high + step * 1e-6


def test_ticks_of_no_range() -> None:
    assert ticks(3.0, 3.0) == [3.0]


def test_counts_are_short() -> None:
    assert [count(x) for x in (0, 500, 1500, 2e6, 3.5e9)] == ["0", "500", "1.5k", "2M", "3.5G"]


def test_lines_lie_where_their_values_are() -> None:
    text = panel("loss/g", [Line("a", 0, ([0, 50, 100], [1.0, 3.0, 2.0])), Line("b", 1, ([100], [1.0]))])
    root = ET.fromstring(text)
    first, second = (one for one in root.iter() if one.tag == "g")
    points = [tuple(map(float, pair.split())) for pair in first.find("path").get("d")[1:].split("L")]
    (x0, y1), (x1, y3), (x2, y2) = points
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y3 < y2 < y1  # upwards is less in SVG
    assert y2 == pytest.approx((y1 + y3) / 2, abs=0.11)
    assert second.find("path").get("stroke-dasharray")
    assert not first.find("path").get("stroke-dasharray")
    (dot,) = second.findall("circle")
    assert (float(dot.get("cx")), float(dot.get("cy"))) == pytest.approx((x2, y1))
    labels = [one.text for one in root.iter() if one.tag == "text"]
    assert {"loss/g", "examples seen", "g", "100"} <= set(labels)


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [1e300, -1e300], [1e-320, 2e-320]])
def test_odd_ranges_give_whole_images(values: list[float]) -> None:
    text = panel("x", [Line("a", 0, (list(range(len(values))), values))])
    ET.fromstring(text)
    assert "nan" not in text
    assert "inf" not in text


def test_names_of_anyone_are_escaped() -> None:
    text = panel("<script>/<b>", [Line('"><script>', 0, ([1], [1.0]))])
    ET.fromstring(text)
    assert "<script" not in text
    assert "<b>" not in text


def _luminance(colour: str) -> float:
    """Relative luminance by WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_line_stands_out_from_the_page(scheme: str) -> None:
    colours = dict(re.findall(r"--(back|ink|soft|c\d): (#[0-9a-f]{6})", scheme))
    assert len(colours) == COLOURS + 3
    back = _luminance(colours.pop("back"))
    for name, colour in colours.items():
        light, dark = sorted((_luminance(colour), back), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= (3 if name.startswith("c") else 4.5), name


def test_swatches_of_neighbours_differ() -> None:
    assert len({swatch(i) for i in range(COLOURS)}) == COLOURS


def test_the_style_colours_every_line_and_names_no_colour_that_is_not_said() -> None:
    rules = style()
    assert all(f"path.v{i} {{ stroke: var(--c{i}); }}" in rules for i in range(COLOURS))
    used = set(re.findall(r"var\(--(\w+)\)", rules))
    assert used <= set(re.findall(r"--(\w+):", LIGHT)) & set(re.findall(r"--(\w+):", DARK))

from __future__ import annotations

import math

import pytest

from ganvas.functional.mixtures import SCALE, centres


def test_centres_are_the_papers_scaled() -> None:
    grid = (centres("gaussians25") * 5).round(decimals=5).tolist()
    assert grid == [[float(x), float(y)] for x in range(-4, 5, 2) for y in range(-4, 5, 2)]
    for number, (x, y) in enumerate((centres("ring8") * 2.5).tolist()):
        assert x == pytest.approx(2 * math.cos(number * math.pi / 4), abs=1e-5)
        assert y == pytest.approx(2 * math.sin(number * math.pi / 4), abs=1e-5)


def test_every_shape_lies_within_the_square() -> None:
    for shape in SCALE:
        assert centres(shape).abs().max() <= 0.8 + 1e-6

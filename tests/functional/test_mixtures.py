from __future__ import annotations

import math

import pytest
import torch

from ganvas.functional.mixtures import SCALE, capture, centres
from ganvas.metric.features.toy import Toy as Features
from ganvas.metric.interface import Observation
from ganvas.metric.samples.mode_coverage import ModeCoverage


def test_centres_are_the_papers_scaled() -> None:
    grid = (centres("gaussians25") * 5).round(decimals=5).tolist()
    assert grid == [[float(x), float(y)] for x in range(-4, 5, 2) for y in range(-4, 5, 2)]
    for number, (x, y) in enumerate((centres("ring8") * 2.5).tolist()):
        assert x == pytest.approx(2 * math.cos(number * math.pi / 4), abs=1e-5)
        assert y == pytest.approx(2 * math.sin(number * math.pi / 4), abs=1e-5)


def test_every_shape_lies_within_the_square() -> None:
    for shape in SCALE:
        assert centres(shape).abs().max() <= 0.8 + 1e-6


def test_a_mode_is_captured_within_three_deviations_alone() -> None:
    modes = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    points = torch.tensor([[0.029, 0.0], [1.0, 0.031], [1.04, 0.0], [torch.nan, 0.0]])
    found = capture(points, modes, 0.01)
    assert found.captured.tolist() == [True, False, False]
    assert found.share == 0.25


def test_captured_modes_are_those_of_the_metric() -> None:
    torch.manual_seed(0)
    modes = centres("gaussians25")
    points = (torch.rand(300, 2) * 2 - 1).float()
    extractor, metric = Features("gaussians25", 0.05), ModeCoverage()
    seen = Observation(torch.arange(300), *extractor(points))
    metric.begin(2, len(modes))
    metric.update(seen, side="generated")
    metric.update(seen, side="real")
    told, found = metric.compute(), capture(points, modes, 0.01)
    assert int(told["modes_covered"]) == int(found.captured.sum()) > 0
    assert float(told["high_quality_share"]) == found.share

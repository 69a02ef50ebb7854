"""Modes, reverse KL and quality on counts written out."""

from __future__ import annotations

import math

import pytest
import torch
from observed import metrics, side

from ganvas.errors import OptionError
from ganvas.metric.interface import Observation
from ganvas.metric.samples.mode_coverage import ModeCoverage


def classes(counts: list[int]) -> torch.Tensor:
    return torch.eye(len(counts))[torch.cat([torch.full((n,), i) for i, n in enumerate(counts)])]


def seen(counts: list[int]) -> Observation:
    logits = classes(counts)
    return side(torch.zeros(len(logits), 3), logits)


def test_modes_and_reverse_kl() -> None:
    made = metrics(ModeCoverage(), real=seen([5, 10, 5, 20]), generated=seen([6, 1, 0, 3]))
    expected = 0.6 * math.log(0.6 / 0.125) + 0.1 * math.log(0.1 / 0.25) + 0.3 * math.log(0.3 / 0.5)
    assert made == {"modes_covered": 3.0, "reverse_kl": pytest.approx(expected, rel=1e-12)}
    metric = ModeCoverage(2)
    assert metrics(metric, real=seen([5, 5]), generated=seen([6, 1]))["modes_covered"] == 1.0
    assert set(metric.directions) == {"modes_covered", "reverse_kl"}
    assert set(ModeCoverage.directions) == {"modes_covered", "reverse_kl", "high_quality_share"}


def test_the_same_shares_have_no_divergence_and_a_mode_without_real_samples_is_finite() -> None:
    same = metrics(ModeCoverage(), real=seen([2, 6]), generated=seen([1, 3]))
    assert same["reverse_kl"] == pytest.approx(0.0, abs=1e-15)
    made = metrics(ModeCoverage(), real=seen([0, 9, 0]), generated=seen([5, 5, 0]))
    expected = 0.5 * math.log(0.5 / 0.1) + 0.5 * math.log(0.5 / 0.9)
    assert made["reverse_kl"] == pytest.approx(expected, rel=1e-12)


def test_points_far_from_their_mode_do_not_cover_it() -> None:
    centres, deviation = torch.tensor([[0.0, 0.0], [10.0, 0.0]]), 0.5

    def points(*values: tuple[float, float]) -> Observation:
        at = torch.tensor(values).float()
        return side(at, -torch.cdist(at, centres).square() / (2 * deviation**2))

    real = points((0, 0), (10, 0))
    made = metrics(
        ModeCoverage(), real=real, generated=points((1.4, 0), (0, -1.4), (0, 1.6), (8.4, 0), (10, -3))
    )
    share = 3 / 5
    assert made["modes_covered"] == 1.0
    assert made["high_quality_share"] == 2 / 5
    assert made["reverse_kl"] == pytest.approx(share * math.log(share / 0.5) + 0.4 * math.log(0.4 / 0.5))
    metric = ModeCoverage(deviations=4.0)
    assert "high_quality_share" in metric.directions
    assert metrics(metric, real=real, generated=points((0, 1.6), (8.4, 0)))["modes_covered"] == 2.0
    assert (metric.protocol["min_samples"], metric.protocol["deviations"]) == (1, 4.0)


def test_options_are_checked() -> None:
    with pytest.raises(OptionError, match="min_samples=0"):
        ModeCoverage(min_samples=0)
    with pytest.raises(OptionError, match="deviations=0"):
        ModeCoverage(deviations=0.0)

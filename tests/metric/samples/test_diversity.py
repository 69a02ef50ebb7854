"""Diversity against a loop over all pairs."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from observed import metrics, normal, side

from ganvas.errors import OptionError
from ganvas.metric.samples.diversity import Diversity


def spread(x: torch.Tensor) -> float:
    pairs = [(a - b).double().square().sum().item() for a, b in combinations(x, 2)]
    return sum(pairs) / len(pairs)


def test_the_mean_over_all_pairs() -> None:
    real, generated = normal(0, 23, 4, shift=30), normal(1, 17, 4, scale=0.5, shift=-20)
    made = metrics(Diversity(), real=side(real), generated=side(generated))
    assert made == {"diversity": pytest.approx(spread(generated) / spread(real), rel=1e-6)}


def test_one_sample_again_and_again() -> None:
    real, generated = normal(0, 23, 4), torch.full((9, 4), 0.3)
    assert metrics(Diversity(), real=side(real), generated=side(generated))["diversity"] < 1e-12
    with pytest.raises(OptionError, match="all have the same features"):
        metrics(Diversity(), real=side(torch.ones(9, 4)), generated=side(real))

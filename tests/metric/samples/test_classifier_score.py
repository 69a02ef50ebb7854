"""The classifier score from its definition, and where it is known."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from observed import metrics, normal, side

from ganvas.errors import OptionError
from ganvas.metric.samples.classifier_score import ClassifierScore


def score(logits: torch.Tensor) -> float:
    p = logits.double().softmax(1)
    marginal = p.mean(0)
    divergences = [sum(a * math.log(a / b) for a, b in zip(row, marginal, strict=True)) for row in p]
    return math.exp(sum(map(float, divergences)) / len(p))


def test_mean_and_deviation_over_splits_in_order() -> None:
    logits = normal(0, 24, 5, scale=3)
    logits[:8, 0] += 4  # splits differ
    parts = [score(part) for part in logits.split(8)]
    made = metrics(ClassifierScore(3), generated=side(torch.zeros(24, 2), logits))
    mean = sum(parts) / 3
    assert made["classifier_score"] == pytest.approx(mean, rel=1e-6)
    deviation = math.sqrt(sum((part - mean) ** 2 for part in parts) / 3)
    assert made["classifier_score_deviation"] == pytest.approx(deviation, rel=1e-6)


@pytest.mark.parametrize(("count", "splits"), [(23, 10), (29, 4), (24, 3)])
def test_splits_are_those_of_the_authors(count: int, splits: int) -> None:
    """Salimans 2016's inception_score.py: part i is ``preds[i * N // splits : (i + 1) * N // splits]``."""
    logits = normal(0, count, 5, scale=3) + torch.arange(count)[:, None] * torch.tensor([0.2, 0, 0, 0, 0])
    ends = [i * count // splits for i in range(splits + 1)]
    parts = [score(logits[start:end]) for start, end in pairwise(ends)]
    made = metrics(ClassifierScore(splits), generated=side(torch.zeros(count, 2), logits))
    assert made["classifier_score"] == pytest.approx(sum(parts) / splits, rel=1e-6)


def test_bounds() -> None:
    sure = torch.eye(4).repeat(5, 1) * 1e4  # also where probabilities are 0
    made = metrics(ClassifierScore(1), generated=side(torch.zeros(20, 2), sure))
    assert made == {"classifier_score": pytest.approx(4.0), "classifier_score_deviation": 0.0}
    unsure = metrics(ClassifierScore(2), generated=side(torch.zeros(20, 2), torch.ones(20, 4)))
    assert unsure["classifier_score"] == pytest.approx(1.0)


def test_real_samples_are_left_aside() -> None:
    logits = normal(0, 20, 3)
    seen = side(torch.zeros(20, 2), logits)
    assert metrics(ClassifierScore(2), generated=seen, real=side(torch.zeros(20, 2), -logits)) == metrics(
        ClassifierScore(2), generated=seen
    )


def test_two_samples_a_split() -> None:
    ClassifierScore(10).check_counts({"generated": 20}, num_features=9)
    with pytest.raises(OptionError, match=r"num_samples=19: .*splits=10; needs at least 20"):
        ClassifierScore(10).check_counts({"generated": 19}, num_features=9)
    with pytest.raises(OptionError, match="splits=0"):
        ClassifierScore(0)

"""Streaming sums equal the moments of all samples at once."""

from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.functional.frechet import frechet_distance
from ganvas.metric.frechet import FrechetDistance


def features(seed: int, count: int, scale: float, shift: float) -> torch.Tensor:
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed)) * scale + shift


def one_shot(real: torch.Tensor, generated: torch.Tensor) -> float:
    return frechet_distance(
        mean_1=real.double().mean(0),
        covariance_1=torch.cov(real.double().T),
        mean_2=generated.double().mean(0),
        covariance_2=torch.cov(generated.double().T),
    ).item()


def filled(real: torch.Tensor, generated: torch.Tensor, parts: int) -> FrechetDistance:
    metric = FrechetDistance(6)
    for chunk in real.tensor_split(parts):
        metric.update(chunk, real=True)
    for chunk in generated.tensor_split(parts + 1):
        metric.update(chunk, real=False)
    return metric


@pytest.mark.parametrize("parts", [1, 7])
def test_streaming_equals_one_shot(parts: int) -> None:
    real, generated = features(0, 200, 1.0, 50.0), features(1, 150, 2.0, 51.0)
    metric = filled(real, generated, parts)
    assert metric.compute().item() == pytest.approx(one_shot(real, generated), rel=1e-8)
    assert metric.compute().dtype == torch.float64
    assert int(metric.real_count) == 200
    assert int(metric.generated_count) == 150


def test_fewer_samples_than_features() -> None:
    real, generated = features(0, 4, 1.0, 0.0), features(1, 5, 2.0, 1.0)
    metric = filled(real, generated, 1)
    assert metric.compute().item() == pytest.approx(one_shot(real, generated), rel=1e-6)


def test_the_protocol_says_when_the_rank_is_deficient() -> None:
    metric = FrechetDistance(6)
    assert metric.protocol(real_samples=6, generated_samples=100)["rank_deficient"] is True
    assert metric.protocol(real_samples=100, generated_samples=6)["rank_deficient"] is True
    assert metric.protocol(real_samples=7, generated_samples=7)["rank_deficient"] is False


def test_forgetting_the_generated_side_keeps_the_real_one() -> None:
    real, first, second = features(0, 50, 1.0, 0.0), features(1, 40, 2.0, 1.0), features(2, 30, 0.5, -1.0)
    metric = filled(real, first, 1)
    metric.compute()
    metric.forget_generated()
    metric.update(second, real=False)
    assert metric.compute().item() == pytest.approx(one_shot(real, second), rel=1e-8)


@pytest.mark.parametrize("short", [True, False])
def test_a_covariance_needs_two_samples(short: bool) -> None:
    metric = FrechetDistance(6)
    metric.update(features(0, 1, 1.0, 0.0), real=short)
    metric.update(features(0, 9, 1.0, 0.0), real=not short)
    with pytest.raises(
        OptionError, match="num_samples=1: .*at least 2 " + ("real" if short else "generated")
    ):
        metric.compute()


def test_states_are_summed_over_ranks() -> None:
    """torchmetrics reduces every state by a sum: two ranks' states added are those of one process."""
    real, generated = features(0, 20, 1.0, 0.0), features(1, 16, 2.0, 1.0)
    whole, halves = FrechetDistance(6), [FrechetDistance(6), FrechetDistance(6)]
    whole.update(real, real=True)
    whole.update(generated, real=False)
    for metric, r, g in zip(halves, real.tensor_split(2), generated.split(10), strict=True):
        metric.update(r, real=True)
        metric.update(g, real=False)
    assert {reduce.__name__ for reduce in whole._reductions.values()} == {"dim_zero_sum"}  # type: ignore[union-attr]
    for name in whole._defaults:
        setattr(halves[0], name, getattr(halves[0], name) + getattr(halves[1], name))
    assert halves[0].compute().item() == pytest.approx(whole.compute().item(), rel=1e-10)


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(OptionError, match="num_features=0"):
        FrechetDistance(0)

"""Streaming sums equal the moments of all samples at once."""

from __future__ import annotations

import pytest
import torch
from observed import metrics, normal, show, side

from ganvas.errors import OptionError
from ganvas.functional import memory
from ganvas.functional.frechet import frechet_distance
from ganvas.metric.samples.fid import FID


def one_shot(real: torch.Tensor, generated: torch.Tensor) -> float:
    return frechet_distance(
        mean_1=real.double().mean(0),
        covariance_1=torch.cov(real.double().T),
        mean_2=generated.double().mean(0),
        covariance_2=torch.cov(generated.double().T),
    ).item()


@pytest.mark.parametrize("size", [7, 1000])
def test_streaming_equals_one_shot(size: int) -> None:
    real, generated = normal(0, 200, 6, shift=50), normal(1, 150, 6, scale=2, shift=51)
    made = metrics(FID(), size, real=side(real), generated=side(generated))
    assert made == {"fid": pytest.approx(one_shot(real, generated), rel=1e-8)}


def test_the_protocol_says_when_the_rank_is_deficient() -> None:
    for real, generated, deficient in ((6, 99, True), (99, 6, True), (7, 7, False)):
        metric = FID()
        assert "rank_deficient" not in metric.protocol
        metrics(metric, real=side(normal(0, real, 6)), generated=side(normal(1, generated, 6)))
        assert metric.protocol["rank_deficient"] is deficient


def test_matrices_that_no_memory_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 6 * 10**9)
    with pytest.raises(OptionError, match=r"features=8,192 numbers: covariances .* need 6\.98 GB"):
        FID().begin(8192, None)
    monkeypatch.setattr(memory, "free_memory", lambda: 13 * 8 * 36)
    FID().begin(6, None)


def test_forgetting_the_generated_side_keeps_the_real_one() -> None:
    real, first, second = normal(0, 50, 6), normal(1, 40, 6, scale=2), normal(2, 30, 6, shift=-1)
    metric = FID()
    metrics(metric, real=side(real), generated=side(first))
    metric.forget("generated")
    show(metric, {"generated": side(second)})
    assert metric.compute()["fid"].item() == pytest.approx(one_shot(real, second), rel=1e-8)


def test_a_covariance_needs_two_samples() -> None:
    FID().check_counts({"real": 2, "generated": 2}, num_features=6)
    for counts in ({"real": 1, "generated": 9}, {"real": 9, "generated": 1}):
        short = min(counts, key=lambda name: counts[name])
        with pytest.raises(OptionError, match=f"num_samples=1: is too few {short} samples for fid.*least 2"):
            FID().check_counts(counts, num_features=6)

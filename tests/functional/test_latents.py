from __future__ import annotations

import pytest
import torch
from scipy import stats

from ganvas.functional.latents import latent


def test_without_truncation_it_is_torchs_own_normal_draw() -> None:
    expected = torch.randn(7, generator=torch.Generator().manual_seed(11))
    assert torch.equal(latent(7, 11), expected)


@pytest.mark.parametrize("t", [0.3, 1.0, 2.5])
def test_truncated_latents_follow_the_truncated_normal(t: float) -> None:
    z = latent(20_000, 5, t).double()
    reference = stats.truncnorm(-t, t)
    assert z.abs().max() <= t + 1e-6
    assert z.abs().max() > 0.99 * t
    assert stats.kstest(z.numpy(), reference.cdf).pvalue > 0.001
    assert float(z.std()) == pytest.approx(reference.std(), rel=0.03)


def test_at_a_truncation_of_0_all_latents_are_the_mean() -> None:
    assert torch.equal(latent(5, 3, 0.0), torch.zeros(5))


def test_it_is_a_function_of_the_number() -> None:
    assert torch.equal(latent(4, 1, 0.5), latent(4, 1, 0.5))
    assert not torch.equal(latent(4, 1, 0.5), latent(4, 2, 0.5))

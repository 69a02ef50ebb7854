from __future__ import annotations

import math

import pytest
import torch

from ganvas.metric.rate_distortion.point import PooledError


def test_psnr_is_of_the_error_pooled_over_all_batches() -> None:
    error = PooledError()
    assert math.isnan(error.psnr())
    dark, light = torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.full((1, 1, 4, 4), 255, dtype=torch.uint8)
    error.update(dark, dark)
    assert error.psnr() == math.inf
    error.update(light, torch.zeros_like(light))  # 255^2 of a third of all values; no wrap of uint8
    assert error.psnr() == pytest.approx(10 * math.log10(3), rel=1e-12)
    error.update(dark[:1], dark[:1] + 5)
    assert error.psnr() == pytest.approx(-10 * math.log10((255**2 + 25) / 4 / 255**2), rel=1e-12)


def test_images_that_do_not_fit_are_refused() -> None:
    x = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match="must be of one shape"):
        PooledError().update(x, x[:1])
    with pytest.raises(ValueError, match="must be uint8"):
        PooledError().update(x, x.float())

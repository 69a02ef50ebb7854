"""Reconstruction metrics against their definitions."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.functional.ssim import ms_ssim, ssim
from ganvas.metric.reconstruction import ReconstructionQuality
from ganvas.modality.guess import modality_of


def pair(count: int, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    original = torch.rand(count, *shape, generator=generator) * 2 - 1
    return original, (original + 0.3 * torch.randn(count, *shape, generator=generator)).clamp(-1, 1) * 0.8


@pytest.mark.parametrize(
    ("shape", "window", "sigma"),
    [
        ((1, 28, 28), 11, 1.5),
        ((3, 16, 12), 11, 1.5),
        ((1, 8, 8), 7, 1.5 * 7 / 11),
        ((1, 3, 5), 3, 1.5 * 3 / 11),
    ],
)
def test_images(shape: tuple[int, ...], window: int, sigma: float) -> None:
    original, reconstruction = pair(10, *shape)
    metric = ReconstructionQuality(modality_of(list(shape)), list(shape))
    for part in (slice(0, 7), slice(7, 10)):  # uneven batches: means of batch means would differ
        metric.update(original=original[part], reconstruction=reconstruction[part])
    made = {name: value.item() for name, value in metric.compute().items()}

    x, y = original.double() / 2 + 0.5, reconstruction.double() / 2 + 0.5
    mse = (x - y).double().square().mean().item()
    assert made["mse"] == pytest.approx(mse, rel=1e-6)
    assert made["nmse"] == pytest.approx(mse / x.var(correction=0).item(), rel=1e-6)
    assert made["psnr"] == pytest.approx(10 * math.log10(1 / mse), rel=1e-6)
    assert made["ssim"] == pytest.approx(ssim(x, y).mean().item(), abs=1e-9)
    told: Any = metric.protocol["ssim"]
    assert (told["window"], told["sigma"]) == (
        f"Gaussian, {window} x {window}",
        pytest.approx(sigma, abs=1e-4),
    )


def test_what_cannot_be_shown_is_clamped() -> None:
    metric = ReconstructionQuality(modality_of([1, 11, 11]), [1, 11, 11])
    metric.update(original=torch.ones(2, 1, 11, 11), reconstruction=torch.full((2, 1, 11, 11), 3.0))
    assert metric.compute()["mse"].item() == 0.0
    assert metric.compute()["ssim"].item() == pytest.approx(1.0, abs=1e-6)


def test_points_have_an_mse_alone_in_their_own_units() -> None:
    metric = ReconstructionQuality(modality_of([2]), [2])
    metric.update(original=torch.tensor([[0.0, 1.0]]), reconstruction=torch.tensor([[2.0, -3.0]]))
    assert {name: value.item() for name, value in metric.compute().items()} == {"mse": 10.0, "nmse": 40.0}


def test_tiny_images_are_refused() -> None:
    with pytest.raises(OptionError, match=r"sample_shape=\[1, 2, 8\]"):
        ReconstructionQuality(modality_of([1, 2, 8]), [1, 2, 8])


def test_several_scales_of_large_images() -> None:
    original, reconstruction = pair(3, 1, 180, 176)
    reconstruction[1] *= 0.3
    metric = ReconstructionQuality(modality_of([1, 180, 176]), [1, 180, 176])
    for part in (slice(0, 2), slice(2, 3)):
        metric.update(original=original[part], reconstruction=reconstruction[part])
    expected = ms_ssim(original / 2 + 0.5, reconstruction / 2 + 0.5)
    assert metric.compute()["ms_ssim"].item() == pytest.approx(expected.mean().item(), abs=1e-9)
    assert metric.compute()["ms_ssim"].item() > metric.compute()["ssim"].item() + 0.05
    assert metric.protocol["ms_ssim"]["scales"] == [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
    small = ReconstructionQuality(modality_of([1, 180, 175]), [1, 180, 175])
    small.update(original=original[..., 1:], reconstruction=reconstruction[..., 1:])
    assert "ms_ssim" not in small.compute()
    assert "ms_ssim" not in small.protocol


def test_a_negative_image_has_a_metric() -> None:
    original, _ = pair(1, 1, 176, 176)
    metric = ReconstructionQuality(modality_of([1, 176, 176]), [1, 176, 176])
    metric.update(original=original, reconstruction=-original)
    assert metric.compute()["ms_ssim"].item() == 0.0

"""Reconstruction metrics against their definitions."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import avg_pool2d, conv2d, pad

from ganvas.errors import OptionError
from ganvas.metric.reconstruction import ReconstructionQuality


def pair(count: int, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    original = torch.rand(count, *shape, generator=generator) * 2 - 1
    return original, (original + 0.3 * torch.randn(count, *shape, generator=generator)).clamp(-1, 1) * 0.8


def parts(x: torch.Tensor, y: torch.Tensor, window: int, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """SSIM (Wang 2004, eq. 13) and its factor without luminance, per image; reflected borders."""
    x, y = x.double(), y.double()
    channels, half = x.shape[1], window // 2
    line = torch.exp(-(torch.arange(-half, half + 1).double() ** 2) / (2 * sigma**2))
    kernel = (line[:, None] * line / line.sum() ** 2).expand(channels, 1, window, window)

    def blur(value: torch.Tensor) -> torch.Tensor:
        return conv2d(pad(value, (half,) * 4, mode="reflect"), kernel, groups=channels)

    mu_x, mu_y = blur(x), blur(y)
    var_x, var_y, cov = blur(x * x) - mu_x**2, blur(y * y) - mu_y**2, blur(x * y) - mu_x * mu_y
    c1, c2 = 0.01**2, 0.03**2
    contrast = (2 * cov + c2) / (var_x + var_y + c2)
    index = (2 * mu_x * mu_y + c1) / (mu_x**2 + mu_y**2 + c1) * contrast
    return index.flatten(1).mean(1), contrast.flatten(1).mean(1)


def ssim(x: torch.Tensor, y: torch.Tensor, window: int, sigma: float) -> torch.Tensor:
    return parts(x, y, window, sigma)[0]


def ms_ssim(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Wang 2003, eq. 7, with its weights of the five scales."""
    product = torch.ones(len(x), dtype=torch.float64)
    weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    for scale, weight in enumerate(weights):
        whole, contrast = parts(x, y, 11, 1.5)
        product *= (whole if scale == 4 else contrast) ** weight
        x, y = avg_pool2d(x, 2), avg_pool2d(y, 2)
    return product


@pytest.mark.parametrize(
    ("shape", "window", "sigma"),
    [((1, 28, 28), 11, 1.5), ((3, 16, 12), 11, 1.5), ((1, 8, 8), 7, 3 / 3.5), ((1, 3, 5), 3, 1 / 3.5)],
)
def test_images(shape: tuple[int, ...], window: int, sigma: float) -> None:
    original, reconstruction = pair(10, *shape)
    metric = ReconstructionQuality(list(shape))
    for part in (slice(0, 7), slice(7, 10)):  # uneven batches: means of batch means would differ
        metric.update(original=original[part], reconstruction=reconstruction[part])
    made = {name: value.item() for name, value in metric.compute().items()}

    x, y = original / 2 + 0.5, reconstruction / 2 + 0.5
    mse = (x - y).double().square().mean().item()
    assert made["mse"] == pytest.approx(mse, rel=1e-6)
    assert made["psnr"] == pytest.approx(10 * math.log10(1 / mse), rel=1e-6)
    assert made["ssim"] == pytest.approx(ssim(x, y, window, sigma).mean().item(), abs=2e-4)
    assert metric.protocol["ssim_window"] == window


def test_what_cannot_be_shown_is_clamped() -> None:
    metric = ReconstructionQuality([1, 11, 11])
    metric.update(original=torch.ones(2, 1, 11, 11), reconstruction=torch.full((2, 1, 11, 11), 3.0))
    assert metric.compute()["mse"].item() == 0.0
    assert metric.compute()["ssim"].item() == pytest.approx(1.0, abs=1e-6)


def test_points_have_an_mse_alone_in_their_own_units() -> None:
    metric = ReconstructionQuality([2])
    metric.update(original=torch.tensor([[0.0, 1.0]]), reconstruction=torch.tensor([[2.0, -3.0]]))
    assert {name: value.item() for name, value in metric.compute().items()} == {"mse": 10.0}


def test_tiny_images_are_refused() -> None:
    with pytest.raises(OptionError, match=r"sample_shape=\[1, 2, 8\]"):
        ReconstructionQuality([1, 2, 8])


def test_several_scales_of_large_images() -> None:
    original, reconstruction = pair(3, 1, 180, 176)
    reconstruction[1] *= 0.3
    metric = ReconstructionQuality([1, 180, 176])
    for part in (slice(0, 2), slice(2, 3)):
        metric.update(original=original[part], reconstruction=reconstruction[part])
    expected = ms_ssim(original / 2 + 0.5, reconstruction / 2 + 0.5)
    assert metric.compute()["ms_ssim"].item() == pytest.approx(expected.mean().item(), abs=3e-3)
    assert metric.compute()["ms_ssim"].item() > metric.compute()["ssim"].item() + 0.05
    assert metric.protocol["ms_ssim_scales"] == 5
    small = ReconstructionQuality([1, 180, 175])
    small.update(original=original[..., 1:], reconstruction=reconstruction[..., 1:])
    assert "ms_ssim" not in small.compute()
    assert "ms_ssim_scales" not in small.protocol


def test_a_negative_image_has_a_metric() -> None:
    original, _ = pair(1, 1, 176, 176)
    metric = ReconstructionQuality([1, 176, 176])
    metric.update(original=original, reconstruction=-original)
    assert metric.compute()["ms_ssim"].item() == 0.0

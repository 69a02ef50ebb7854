"""SSIM against its definition window by window, and against what two published packages give."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganvas.functional.ssim import SMALLEST_MULTISCALE, ms_ssim, ssim, window_for


def pair(*shape: int) -> tuple[Tensor, Tensor]:
    """Two images float64 [1, C, H, W] in [0, 1] by formula, unequal in every axis and in their roles."""
    z, y, x = torch.meshgrid(*(torch.arange(side, dtype=torch.float64) for side in shape), indexing="ij")
    a = 0.5 + 0.5 * torch.sin(0.37 * x + 0.11 * y + z) * torch.cos(0.023 * x * y)
    return a[None], (0.9 * a + 0.12 * torch.sin(1.7 * x + 2.3 * y * y - z)).clamp(0, 1)[None]


def by_windows(x: Tensor, y: Tensor, side: int, sigma: float) -> tuple[list[float], list[float]]:
    """Of one image [C, H, W]: Wang 2004, eq. 13 and its factor without luminance, each channel's mean.

    One window at a time and with centred sums, so that nothing is shared with a filter over the image.
    """
    half = side // 2
    weight = torch.tensor(
        [
            [math.exp(-(i * i + j * j) / (2 * sigma**2)) for j in range(-half, half + 1)]
            for i in range(-half, half + 1)
        ],
        dtype=torch.float64,
    )
    weight /= weight.sum()
    wholes, contrasts = [], []
    for a, b in zip(x, y, strict=True):
        found = []
        for top in range(a.shape[0] - side + 1):
            for left in range(a.shape[1] - side + 1):
                p, q = (one[top : top + side, left : left + side] for one in (a, b))
                mu_p, mu_q = (weight * p).sum(), (weight * q).sum()
                var_p, var_q = (weight * (p - mu_p) ** 2).sum(), (weight * (q - mu_q) ** 2).sum()
                cov = (weight * (p - mu_p) * (q - mu_q)).sum()
                contrast = (2 * cov + 0.03**2) / (var_p + var_q + 0.03**2)
                luminance = (2 * mu_p * mu_q + 0.01**2) / (mu_p**2 + mu_q**2 + 0.01**2)
                found.append((float(luminance * contrast), float(contrast)))
        wholes.append(sum(one for one, _ in found) / len(found))
        contrasts.append(sum(one for _, one in found) / len(found))
    return wholes, contrasts


@pytest.mark.parametrize(
    ("shape", "side", "sigma"),
    [
        ((1, 28, 28), 11, 1.5),
        ((3, 12, 17), 11, 1.5),
        ((2, 11, 30), 11, 1.5),  # one row of windows
        ((1, 10, 20), 9, 1.5 * 9 / 11),  # smaller images: the same shape of window, as large as fits
        ((1, 8, 8), 7, 1.5 * 7 / 11),
        ((2, 5, 3), 3, 1.5 * 3 / 11),
    ],
)
def test_against_the_definition(shape: tuple[int, ...], side: int, sigma: float) -> None:
    x, y = pair(*shape)
    assert window_for(*shape[1:]) == (side, pytest.approx(sigma))
    wholes, _ = by_windows(x[0], y[0], side, sigma)
    both = ssim(torch.cat([x, y]), torch.cat([y, y]))
    assert both.dtype == torch.float64
    assert both.tolist() == pytest.approx([sum(wholes) / len(wholes), 1.0], abs=1e-12)


# scikit-image 0.26.0: structural_similarity(x, y, channel_axis=0, gaussian_weights=True, sigma=1.5,
# use_sample_covariance=False, data_range=1.0); pytorch-msssim 1.0.0: its window is float32.
@pytest.mark.parametrize(
    ("shape", "scikit_image", "pytorch_msssim"),
    [
        ((1, 28, 28), 0.854928669129941, 0.8549287903473843),
        ((3, 16, 12), 0.7973326557358597, 0.797332763052864),
        ((3, 11, 40), 0.8627954659135506, 0.8627955277510176),
        ((3, 208, 224), 0.918682998456488, 0.9186830231715778),
    ],
)
def test_against_published_packages(
    shape: tuple[int, ...], scikit_image: float, pytorch_msssim: float
) -> None:
    made = ssim(*pair(*shape)).item()
    assert made == pytest.approx(scikit_image, abs=1e-12)
    assert made == pytest.approx(pytorch_msssim, abs=1e-6)


@pytest.mark.parametrize(
    ("shape", "pytorch_msssim"), [((1, 192, 176), 0.9097796358412068), ((3, 208, 224), 0.9159808214955133)]
)
def test_several_scales_against_a_published_package(shape: tuple[int, ...], pytorch_msssim: float) -> None:
    assert ms_ssim(*pair(*shape)).item() == pytest.approx(pytorch_msssim, abs=1e-6)


def test_several_scales_by_their_definition() -> None:
    """Odd sides: each scale's last odd row and column is left out, and the coarsest is one window wide."""
    x, y = pair(2, 179, 177)
    product = torch.ones(2, dtype=torch.float64)
    for number, exponent in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        whole, contrast = filtered(x[0], y[0])
        product *= (whole if number == 4 else contrast) ** exponent
        x, y = (halved(one) for one in (x, y))
    assert ms_ssim(*pair(2, 179, 177)).item() == pytest.approx(product.mean().item(), abs=1e-12)


def filtered(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`by_windows` for large images: all windows of a channel at once, [C] each."""
    half = torch.arange(-5, 6, dtype=torch.float64)
    weight = torch.exp(-(half[:, None] ** 2 + half**2) / (2 * 1.5**2)).flatten()
    weight /= weight.sum()
    p, q = (one.unfold(1, 11, 1).unfold(2, 11, 1).flatten(3) for one in (x, y))  # [C, h, w, 121]
    mu_p, mu_q = p @ weight, q @ weight
    dp, dq = p - mu_p[..., None], q - mu_q[..., None]
    contrast = (2 * (dp * dq) @ weight + 0.03**2) / (dp**2 @ weight + dq**2 @ weight + 0.03**2)
    luminance = (2 * mu_p * mu_q + 0.01**2) / (mu_p**2 + mu_q**2 + 0.01**2)
    return (luminance * contrast).mean((1, 2)), contrast.mean((1, 2))


def halved(x: Tensor) -> Tensor:
    height, width = (side // 2 * 2 for side in x.shape[2:])
    x = x[..., :height, :width]
    corners = (x[..., i::2, j::2] for i in (0, 1) for j in (0, 1))
    return sum(corners, start=torch.zeros(())) / 4


def test_a_scale_with_a_negative_mean_counts_as_0() -> None:
    x, _ = pair(1, 176, 176)
    assert ms_ssim(x, 1 - x).item() == 0.0
    assert ssim(x, 1 - x).item() < 0


def test_a_large_mean_costs_no_digits() -> None:
    """In float32 the variance of a nearly flat bright image is rounding alone."""
    x, y = pair(1, 28, 28)
    x, y = 0.999 + 1e-4 * x, 0.999 + 1e-4 * y
    wholes, _ = by_windows(x[0], y[0], 11, 1.5)
    assert ssim(x, y).item() == pytest.approx(wholes[0], abs=1e-12)


def test_too_small_images_are_refused() -> None:
    with pytest.raises(ValueError, match="height=2, width=9: must be at least 3"):
        window_for(2, 9)
    assert SMALLEST_MULTISCALE == 176  # 11 pixels at a sixteenth
    x, y = pair(1, 180, 175)
    with pytest.raises(ValueError, match="sides must be at least 176"):
        ms_ssim(x, y)

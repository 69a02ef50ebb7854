"""Structural similarity of two images (Wang 2004, eq. 13) and over several scales (Wang 2003, eq. 7)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganvas.functional.precision import widened, widest_float

SIDE, SIGMA = 11, 1.5  # of the authors' Gaussian window, pixels
K1, K2 = 0.01, 0.03  # the authors' constants, as shares of the range of values
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # exponents, from the finest scale on (Wang 2003)
SMALLEST_MULTISCALE = SIDE * 2 ** (len(SCALES) - 1)  # pixels: the window must fit into the coarsest scale


def window_for(height: int, width: int) -> tuple[int, float]:
    """Side and sigma of the window in pixels: the authors' 11 and 1.5 wherever it fits.

    A smaller image gets the largest odd window that fits, with a sigma in the same proportion to it.

    Raises:
        ValueError: a side under 3 pixels, where no window has a variance.
    """
    smallest = min(height, width)
    if smallest < 3:
        raise ValueError(f"height={height}, width={width}: must be at least 3 pixels")
    side = min(SIDE, (smallest - 1) // 2 * 2 + 1)
    return side, SIGMA * side / SIDE


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Mean over the windows that lie wholly inside the image, and over channels; in float64.

    Variances are those of the window's weights (no correction). Images are taken at their own size: the
    paper's formula, not the later script's, which first shrinks those of 384 pixels and more.

    Args:
        x: [B, C, H, W] in [0, 1]; sides of at least 3 pixels. See :func:`window_for`.
        y: likewise.

    Returns:
        float64 [B] in [-1, 1]; 1 for equal images.
    """
    similarity, _ = _parts(x, y)
    return similarity.mean(1)


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """The product of five scales' contrast and structure, and of the coarsest one's luminance; in float64.

    Each scale is the mean of 2 x 2 pixels of the one before it, without a last odd row or column. A scale
    whose mean is negative counts as 0, since it has no real power. The product is each channel's.

    Args:
        x: [B, C, H, W] in [0, 1]; sides of at least :data:`SMALLEST_MULTISCALE` pixels.
        y: likewise.

    Returns:
        float64 [B] in [0, 1]; 1 for equal images.

    Raises:
        ValueError: a smaller image.
    """
    if min(x.shape[2:]) < SMALLEST_MULTISCALE:
        raise ValueError(f"x of {list(x.shape)}: sides must be at least {SMALLEST_MULTISCALE} pixels")
    x, y = widened(x), widened(y)
    product = torch.ones(x.shape[:2], dtype=x.dtype, device=x.device)  # [B, C]
    for number, exponent in enumerate(SCALES, start=1):
        similarity, contrast = _parts(x, y)
        scale = similarity if number == len(SCALES) else contrast
        product = product * scale.clamp(min=0) ** exponent
        x, y = avg_pool2d(x, 2), avg_pool2d(y, 2)
    return product.mean(1)


def _parts(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean similarity, and its mean factor of contrast and structure, of each channel [B, C]."""
    x, y = widened(x), widened(y)
    height, width = x.shape[2:]
    side, sigma = window_for(height, width)
    planes = torch.stack([x, y, x * x, y * y, x * y])  # [5, B, C, H, W]
    down, along = (_window_matrix(size, side, sigma, x.device) for size in (height, width))
    means = down @ planes @ along.T  # [5, B, C, H - side + 1, W - side + 1]
    mu_x, mu_y, xx, yy, xy = means
    contrast = (2 * (xy - mu_x * mu_y) + K2**2) / (xx - mu_x.square() + yy - mu_y.square() + K2**2)
    luminance = (2 * mu_x * mu_y + K1**2) / (mu_x.square() + mu_y.square() + K1**2)
    return (luminance * contrast).mean((2, 3)), contrast.mean((2, 3))


def _window_matrix(size: int, side: int, sigma: float, device: torch.device) -> Tensor:
    """Row i holds the weights of a window that begins at pixel i, float64 [size - side + 1, size].

    One axis of the Gaussian at a time: as a product of matrices several times faster than a convolution.
    """
    steps = torch.arange(side, dtype=widest_float(device), device=device) - side // 2
    line = (-steps.square() / (2 * sigma**2)).exp()
    rows = size - side + 1
    matrix = torch.zeros(rows, size, dtype=widest_float(device), device=device)
    place = torch.arange(rows, device=device)[:, None] + torch.arange(side, device=device)  # [rows, side]
    return matrix.scatter_(1, place, (line / line.sum()).expand(rows, side))

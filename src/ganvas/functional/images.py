"""Between stored images (uint8) and what networks see (float32 in [-1, 1])."""

from __future__ import annotations

import torch
from torch import Tensor

GAP = 2  # pixels between the images of a grid
GAP_LEVEL = 96  # a dark grey, which neither black nor white images melt into


def to_float(stored: Tensor) -> Tensor:
    """uint8 in [0, 255] to float32 in [-1, 1], any shape: x / 127.5 - 1; the ends are exact.

    Floats are such already, and are left alone.
    """
    return stored if stored.is_floating_point() else stored.to(torch.float32).div(127.5).sub_(1)


def to_uint8(x: Tensor) -> Tensor:
    """Floats in [-1, 1] to uint8, any shape: the nearest level; what lies outside is clamped."""
    return x.to(torch.float32).add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def enlarge(x: Tensor, factor: int) -> Tensor:
    """Images [..., H, W] with each pixel as a square of ``factor`` pixels a side."""
    return x.repeat_interleave(factor, dim=-2).repeat_interleave(factor, dim=-1)


def visible_factor(height: int, width: int) -> int:
    """The whole factor that brings small images near to 64 pixels, so that a person sees something."""
    return max(1, 64 // max(height, width))


def grid(x: Tensor, columns: int, factor: int | None = None) -> Tensor:
    """Images side by side, row by row, with 2 pixels around each.

    Args:
        x: uint8 [N, C, H, W], N at least 1.
        columns: images in a row, at least 1; fewer where N is smaller.
        factor: images are enlarged by it; None: by :func:`visible_factor`.

    Returns:
        uint8 [C, H', W'] as large as :func:`grid_size` says; grey between the images.
    """
    count, channels, height, width = x.shape
    factor = factor or visible_factor(height, width)
    tall, wide = grid_size(height, width, count=count, columns=columns, factor=factor)
    board = torch.full((channels, tall, wide), GAP_LEVEL, dtype=x.dtype)
    columns, height, width = min(columns, count), height * factor, width * factor
    for i, image in enumerate(x.cpu()):
        top = GAP + (i // columns) * (height + GAP)
        left = GAP + (i % columns) * (width + GAP)
        board[:, top : top + height, left : left + width] = enlarge(image, factor)
    return board


def grid_size(
    height: int, width: int, *, count: int, columns: int, factor: int | None = None
) -> tuple[int, int]:
    """Height and width of the grid of ``count`` images of ``height`` x ``width``, pixels."""
    factor = factor or visible_factor(height, width)
    columns = min(columns, count)
    rows = -(-count // columns)
    return rows * (height * factor + GAP) + GAP, columns * (width * factor + GAP) + GAP

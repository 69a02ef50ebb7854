"""Between stored images (uint8) and what networks see (float32 in [-1, 1])."""

from __future__ import annotations

import torch
from torch import Tensor

GAP = 2  # pixels between the images of a grid
GAP_LEVEL = 96  # a dark grey, which neither black nor white images melt into


def to_float(x: Tensor) -> Tensor:
    """uint8 in [0, 255] to float32 in [-1, 1], any shape: x / 127.5 - 1; the ends are exact."""
    return x.to(torch.float32).div(127.5).sub_(1)


def to_uint8(x: Tensor) -> Tensor:
    """Floats in [-1, 1] to uint8, any shape: the nearest level; what lies outside is clamped."""
    return x.to(torch.float32).add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def grid(x: Tensor, columns: int) -> Tensor:
    """Images side by side, row by row, with 2 pixels around each.

    Images of at most 32 pixels are enlarged by a whole factor, so that a person sees something.

    Args:
        x: uint8 [N, C, H, W], N at least 1.
        columns: images in a row, at least 1; fewer where N is smaller.

    Returns:
        uint8 [C, rows * (H' + 2) + 2, columns * (W' + 2) + 2] with the enlarged H', W'; grey between.
    """
    factor = max(1, 64 // max(x.shape[2:]))
    x = x.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
    count, channels, height, width = x.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    board = torch.full(
        (channels, rows * (height + GAP) + GAP, columns * (width + GAP) + GAP), GAP_LEVEL, dtype=x.dtype
    )
    for i, image in enumerate(x.cpu()):
        top = GAP + (i // columns) * (height + GAP)
        left = GAP + (i % columns) * (width + GAP)
        board[:, top : top + height, left : left + width] = image
    return board

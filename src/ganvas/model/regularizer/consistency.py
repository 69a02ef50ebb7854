"""What the consistency regularizers share: small changes of images, and the square of what they change."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from ganvas.functional.precision import at_least_float32
from ganvas.functional.random import Draws


def flip_and_shift(x: Tensor, draws: Draws, purpose: str) -> Tensor:
    """Images [B, C, H, W], each flipped or not, and moved by up to an eighth of its side (Zhang 2020).

    What moves in from beyond an edge is mirrored at it. Differentiable with respect to the images.
    """
    height, width = x.shape[2:]
    chance = draws.uniform(f"{purpose}/flip_and_shift", len(x), 3)  # [B, 3] on [0, 1)
    x = torch.where((chance[:, 0] < 0.5).view(-1, 1, 1, 1), x.flip(3), x)
    up, left = height // 8, width // 8
    x = pad(x, (left, left, up, up), mode="reflect")
    rows = _window(chance[:, 1], up, height)  # [B, H]
    columns = _window(chance[:, 2], left, width)  # [B, W]
    x = x.gather(2, rows[:, None, :, None].expand(-1, x.shape[1], -1, x.shape[3]))
    return x.gather(3, columns[:, None, None, :].expand(-1, x.shape[1], height, -1))


def _window(chance: Tensor, most: int, size: int) -> Tensor:
    """Indices [B, size] of a window that begins anywhere in [0, 2 most]."""
    start = (chance * (2 * most + 1)).long()
    return start[:, None] + torch.arange(size, device=chance.device)


def mean_square(a: Tensor, b: Tensor) -> Tensor:
    """Mean of (a - b)^2 over all elements of two tensors of one shape, at least float32."""
    return (at_least_float32(a) - at_least_float32(b)).square().mean()

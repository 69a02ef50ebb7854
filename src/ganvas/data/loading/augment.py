"""Augmentation of training images: pure functions of (seed, epoch, index), on the device, by batches."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.functional.random import hash_index


def flip(x: Tensor, *, index: Tensor, seed: int, epoch: int) -> Tensor:
    """Mirrors each image of [B, C, H, W] left to right with probability one half.

    Args:
        index: int64 [B], each image's number in its split, on the device of ``x``.
    """
    mirrored = hash_index(index, "flip", seed, epoch) & 1
    return torch.where(mirrored.bool()[:, None, None, None], x.flip(-1), x)


def shift(x: Tensor, *, index: Tensor, seed: int, epoch: int, pixels: int) -> Tensor:
    """Moves each image of [B, C, H, W] by up to ``pixels`` each way; its edge is repeated into the gap.

    Args:
        index: int64 [B], each image's number in its split, on the device of ``x``.
        pixels: largest shift; all 2 * pixels + 1 shifts of an axis are equally likely.
    """
    height, width = x.shape[-2:]
    span = 2 * pixels + 1
    down = hash_index(index, "shift-down", seed, epoch) % span - pixels  # [B]
    right = hash_index(index, "shift-right", seed, epoch) % span - pixels
    rows = (torch.arange(height, device=x.device) - down[:, None]).clamp_(0, height - 1)  # [B, H]
    columns = (torch.arange(width, device=x.device) - right[:, None]).clamp_(0, width - 1)  # [B, W]
    batch = torch.arange(len(x), device=x.device)[:, None, None]
    moved = x.movedim(1, -1)[batch, rows[:, :, None], columns[:, None, :]]  # [B, H, W, C]
    return moved.movedim(-1, 1).contiguous()

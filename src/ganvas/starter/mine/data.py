"""A data set: images that are drawn by a formula, so that this project needs no file."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ganvas.data.kinds.drawn import DrawnDataModule
from ganvas.data.loading.stored import Stored
from ganvas.functional.random import hash64

SIZE = 16  # pixels a side


@dataclass(kw_only=True, eq=False, repr=False)
class Discs(DrawnDataModule):
    """Grey images of 16x16 with one disc; the label says whether it lies left (0) or right (1).

    Files of your own: derive from ganvas.data.datamodule.TensorDataModule, and return the splits by name,
    uint8 images [N, C, H, W] and labels int64 [N] or None, from ``load``.
    """

    num_train: int = 5000
    num_val: int = 500
    num_test: int = 500

    def _draw(self, name: str, count: int, seed: int) -> Stored:
        generator = torch.Generator().manual_seed(hash64("discs", seed, name))
        column, row, radius = torch.rand(3, count, generator=generator)
        column, row, radius = 3 + 10 * column, 3 + 10 * row, 1.5 + 1.5 * radius
        y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
        distance = torch.hypot(x - column[:, None, None], y - row[:, None, None])  # [N, H, W]
        inside = (radius[:, None, None] + 0.5 - distance).clamp(0, 1)
        return Stored((inside * 255).to(torch.uint8)[:, None], (column >= SIZE / 2).long())

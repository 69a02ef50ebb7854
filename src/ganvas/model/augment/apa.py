"""Adaptive pseudo augmentation (Jiang 2021, arXiv:2111.06849)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.functional.random import Draws
from ganvas.model.augment.adaptive import Adaptive


class APA(Adaptive):
    """With probability p a generated sample is given to the discriminator as a real one.

    It takes the place of the real sample of its row, so that classes stay as they are. With a relativistic
    loss such a pair tells nothing, for both its sides are one sample.

    Args: see :class:`ganvas.model.augment.adaptive.Adaptive`.
    """

    def forward(self, x: Tensor, draws: Draws, purpose: str) -> Tensor:
        del draws, purpose
        return x

    def replace(self, real: Tensor, fake: Tensor, draws: Draws) -> Tensor:
        deceives = draws.uniform("apa", len(real)) < self.probability()  # [B]
        return torch.where(deceives.view(-1, *[1] * (real.ndim - 1)), fake.to(real.dtype), real)

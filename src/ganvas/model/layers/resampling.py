"""Blurring, doubling and halving of maps by the kernel [1, 3, 3, 1] / 8 (Karras 2020, R3GAN)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d


class Resampling(nn.Module):
    """Maps to twice or half their side by the kernel [1, 3, 3, 1] / 8 both ways; zeros beyond the border."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", torch.outer(line, line), persistent=False)

    def doubled(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C, 2 H, 2 W]; a constant stays one inside."""
        return conv_transpose2d(x, 4 * self._of_each(x), stride=2, padding=1, groups=x.shape[1])

    def halved(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C, H / 2, W / 2]; a constant stays one inside."""
        return conv2d(x, self._of_each(x), stride=2, padding=1, groups=x.shape[1])

    def blurred(self, x: Tensor, padding: int) -> Tensor:
        """[B, C, H, W] to [B, C, H + 2 padding - 3, W + 2 padding - 3]; a constant stays one inside."""
        return conv2d(x, self._of_each(x), padding=padding, groups=x.shape[1])

    def _of_each(self, x: Tensor) -> Tensor:
        """The kernel for each channel, [C, 1, 4, 4]."""
        return self.kernel.to(x.dtype).expand(x.shape[1], 1, 4, 4)

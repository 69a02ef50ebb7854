"""BatchNorm whose scale and offset are a class's own (Dumoulin 2017, arXiv:1610.07629), or a vector's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganvas.model.layers.basic import require_labels


class ConditionalBatchNorm2d(nn.Module):
    """gamma_y x_hat + beta_y, with x_hat the normalized x; without classes it is BatchNorm.

    As in Dumoulin 2017, section 2.2.

    Args:
        num_features: C.
        num_classes: K; None: one scale and one offset for all.
    """

    def __init__(self, num_features: int, num_classes: int | None = None) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(num_features, affine=num_classes is None)
        self.classes = None if num_classes is None else nn.Embedding(num_classes, 2 * num_features)
        if self.classes is not None:
            with torch.no_grad():
                self.classes.weight[:, :num_features] = 1
                self.classes.weight[:, num_features:] = 0

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """[B, C, H, W] and classes int64 [B] to the same shape."""
        x = self.norm(x)
        if self.classes is None:
            return x
        scale, offset = self.classes(require_labels(label))[..., None, None].chunk(2, dim=1)  # [B, C, 1, 1]
        return scale * x + offset


class ModulatedBatchNorm2d(nn.Module):
    """x_hat (1 + W_g y) + W_b y: BatchNorm whose scale and offset are linear in a vector (BigGAN).

    As in Brock 2019 (arXiv:1809.11096, appendix B) and StudioGAN's code: neither map has a bias, and zero
    weights make it a plain BatchNorm.

    Args:
        num_features: C.
        condition_dim: D, length of the vector y.
        wrap: what is done to both linear layers, e.g. spectral norm.
    """

    def __init__(
        self,
        num_features: int,
        condition_dim: int,
        wrap: Callable[[nn.Module], nn.Module] = lambda layer: layer,
    ) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(num_features, eps=1e-4, affine=False)
        self.gain = wrap(nn.Linear(condition_dim, num_features, bias=False))
        self.offset = wrap(nn.Linear(condition_dim, num_features, bias=False))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """[B, C, H, W] and vectors [B, D] to the same shape."""
        gain = 1 + self.gain(condition)[..., None, None]  # [B, C, 1, 1]
        return gain * self.norm(x) + self.offset(condition)[..., None, None]

"""BatchNorm whose scale and offset are a class's own (Dumoulin 2017, arXiv:1610.07629, section 2.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.model.layers.basic import require_labels


class ConditionalBatchNorm2d(nn.Module):
    """gamma_y x_hat + beta_y, with x_hat the normalized x; without classes it is BatchNorm.

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

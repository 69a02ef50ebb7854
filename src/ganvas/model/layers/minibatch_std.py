"""How much the samples of a batch differ, for a discriminator (Karras 2018, arXiv:1710.10196, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.errors import require
from ganvas.functional.precision import at_least_float32


class MinibatchStd(nn.Module):
    """One channel more: the standard deviation over groups of samples, its mean over channels and places.

    A group is ``group`` samples in a row, so that the share of a rank and a part of a batch are made of
    whole groups of the batch. In eval mode a batch may have any number of samples: where the last group would
    be smaller, its samples are looked at together with the ones before them, and where the batch is smaller
    than a group, it is one. A sample alone has no deviation.

    Args:
        group: samples in a group, at least 2.

    Attributes:
        batch_multiple: in training, every batch must be a multiple of it.

    Raises:
        OptionError: ``minibatch_group`` below 2.
    """

    def __init__(self, group: int) -> None:
        super().__init__()
        rule = "must be at least 2 samples, 4 is usual; null: the network does not compare samples"
        require(group >= 2, "minibatch_group", group, rule)
        self.group = self.batch_multiple = group

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C + 1, H, W].

        Raises:
            ValueError: in training, a batch that the groups do not divide.
        """
        batch, group = x.shape[0], self.group
        if self.training:
            if batch % group:
                raise ValueError(f"a batch of {batch} where samples are compared in groups of {group}")
            groups = x.unflatten(0, (-1, group))  # [B / g, g, C, H, W]
        else:
            first = torch.arange(0, batch, group, device=x.device).clamp(max=max(batch - group, 0))
            groups = x[first[:, None] + torch.arange(min(group, batch), device=x.device)]
        wide = at_least_float32(groups)
        variance = (wide - wide.mean(1, keepdim=True)).square().mean(1)
        each = (variance + 1e-8).sqrt().mean((1, 2, 3)).to(x.dtype).repeat_interleave(group)[:batch]  # [B]
        return torch.cat([x, each[:, None, None, None].expand(-1, 1, *x.shape[2:])], dim=1)

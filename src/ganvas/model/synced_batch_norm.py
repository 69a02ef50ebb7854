"""BatchNorm by the statistics of the global batch, on any device and under gradient penalties."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganvas.functional.distributed import is_distributed, rows_of_ranks, world_size


class Synced(_BatchNorm):
    """One process's BatchNorm of the joint batch; the ranks' shares of it are equally large.

    torch's SyncBatchNorm takes CUDA tensors alone and cannot be differentiated twice. As there, a rank's
    statistics travel in one collective a layer: mean and biased variance, [2, C] of each rank, from which
    Chan's formula makes those of all without the cancellation of E x^2 - (E x)^2.
    """

    def forward(self, input: Tensor) -> Tensor:
        """[B, C, ...] to the same shape and type; outside training, or alone, what BatchNorm does."""
        if not self.training or not is_distributed():
            return super().forward(input)
        self._check_input_dim(input)  # type: ignore[no-untyped-call]  # torch's own method
        x = input.float()
        own = torch.stack(torch.var_mean(x, [0, *range(2, x.ndim)], correction=0))  # [2, C]
        variances, means = rows_of_ranks(own).unbind(1)  # [ranks, C] each
        mean = means.mean(0)  # [C]
        variance = variances.mean(0) + (means - mean).square().mean(0)  # [C], biased
        count = x.numel() // x.shape[1] * world_size()
        self._track(mean.detach(), variance.detach() * (count / (count - 1)))
        scale = torch.rsqrt(variance + self.eps)
        if self.weight is not None:
            scale = scale * self.weight
        shift = -mean * scale
        if self.bias is not None:
            shift = shift + self.bias
        shape = [1, -1, *[1] * (x.ndim - 2)]
        return torch.addcmul(shift.view(shape), x, scale.view(shape)).to(input.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        """Moves the running statistics by the batch's mean and unbiased variance, [C] each."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        weight = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance, weight)


@cache
def _synced(kind: type[Any]) -> type[Any]:
    """``kind`` whose ``super().forward``, or own forward where it has none, is Synced's."""
    return type(kind.__name__, (kind, Synced), {})


def sync_batch_norms(model: nn.Module) -> None:
    """Makes every BatchNorm of ``model`` one over all ranks, in place: no tensor and no name changes."""
    for module in model.modules():
        if isinstance(module, _BatchNorm) and not isinstance(module, Synced | nn.SyncBatchNorm):
            module.__class__ = _synced(type(module))  # type: ignore[arg-type]  # of the same layout


def part_batch_norms(model: nn.Module) -> None:
    """Undoes :func:`sync_batch_norms`."""
    for module in model.modules():
        if isinstance(module, Synced):
            module.__class__ = type(module).__bases__[0]

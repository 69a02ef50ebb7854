"""Sums and means over ranks; each is the identity in a single process."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor


def is_distributed() -> bool:
    """Whether a process group of more than one rank is up."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def world_size() -> int:
    return dist.get_world_size() if is_distributed() else 1


def rank() -> int:
    return dist.get_rank() if is_distributed() else 0


def sum_over_ranks(value: Tensor) -> Tensor:
    """The sum of ``value`` over ranks, detached, of the same shape; ``value`` itself is left alone."""
    if not is_distributed():
        return value.detach()
    total = value.detach().clone()
    dist.all_reduce(total)
    return total


def mean_over_ranks_(tensors: Sequence[Tensor]) -> None:
    """Replaces each tensor by its mean over ranks, in place, by one flat all-reduce per dtype."""
    if not is_distributed() or not tensors:
        return
    # in the order of the tensors: a set has another order on each rank, and the ranks would mix their sums
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
        same = [tensor for tensor in tensors if tensor.dtype == dtype]
        flat = torch.cat([tensor.reshape(-1) for tensor in same])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        for tensor, part in zip(same, flat.split([tensor.numel() for tensor in same]), strict=True):
            tensor.copy_(part.view_as(tensor))


def all_rows(value: Tensor) -> Tensor:
    """Rows of every rank, in rank order: [B, ...] becomes [world_size * B, ...]; equal B on all ranks."""
    if not is_distributed():
        return value
    parts = [torch.empty_like(value) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, value.contiguous())
    return torch.cat(parts)


def max_over_ranks(value: int) -> int:
    """The largest of the ranks' numbers."""
    if not is_distributed():
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    largest = torch.tensor(value, device=device)
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    return int(largest)

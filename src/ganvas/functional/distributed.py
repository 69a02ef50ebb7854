"""Sums and means over ranks; each is the identity in a single process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


class _Sum(torch.autograd.Function):
    """A sum over ranks is its own adjoint: each rank's loss reads every rank's value."""

    @staticmethod
    def forward(_ctx: Any, value: Tensor) -> Tensor:
        return sum_over_ranks(value)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        return _sum(gradient.contiguous())


def _sum(value: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(value)  # type: ignore[no-untyped-call]  # torch's own method
    return total


def rows_of_ranks(value: Tensor) -> Tensor:
    """Every rank's ``value`` [...], as [world_size, ...]; differentiable as often as one likes.

    A gradient is of the sum of the ranks' losses, so every rank must differentiate, and in the same order.
    """
    if not is_distributed():
        return value[None]
    me, others = rank(), world_size() - rank() - 1
    return _sum(
        torch.cat([value.new_zeros(me, *value.shape), value[None], value.new_zeros(others, *value.shape)])
    )


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


def same_on_all_ranks_(tensors: Sequence[Tensor]) -> None:
    """Replaces each tensor by the first rank's, in place."""
    if not is_distributed():
        return
    for tensor in tensors:
        sent = tensor.detach().contiguous()
        dist.broadcast(sent, 0)
        tensor.detach().copy_(sent)


def all_rows(value: Tensor) -> Tensor:
    """Rows of every rank, in rank order: [B, ...] becomes [world_size * B, ...]; equal B on all ranks."""
    if not is_distributed():
        return value
    parts = [torch.empty_like(value) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, value.contiguous())
    return torch.cat(parts)


def joint_rows(value: Tensor) -> Tensor:
    """:func:`all_rows` of which this rank's own carry a graph, and the others' are constants.

    What every rank computes of them has the whole of its gradient in the sum over ranks, as long as it reads
    no parameter but through them: see :func:`mean_of_global_batch`.
    """
    if not is_distributed():
        return value
    rows, first = all_rows(value.detach()), rank() * len(value)
    return torch.cat([rows[:first], value, rows[first + len(value) :]])


def mean_of_global_batch(loss: Tensor) -> Tensor:
    """A loss of :func:`joint_rows`, the same on every rank, for training that averages gradients over ranks.

    Its value stays, and its gradient is multiplied by the number of ranks: the average of what each rank has
    of it is then what one process has on the joint batch.
    """
    if not is_distributed():
        return loss
    return loss.detach() + world_size() * (loss - loss.detach())


def max_over_ranks(value: int) -> int:
    """The largest of the ranks' numbers."""
    if not is_distributed():
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    largest = torch.tensor(value, device=device)
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    return int(largest)

"""A function of many rows, by parts of them, so that what it makes on its way is never held for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.compiler import is_compiling
from torch.jit import is_tracing

_CPU_NUMBERS = 2**20  # of a part at a time: 4 MiB of float32, which stay in the cache
_ACCELERATOR_NUMBERS = 2**24  # 64 MiB: fewer kernels

Parts = tuple[Tensor, ...]


def in_chunks(
    function: Callable[..., tuple[Parts, Parts]], rows: Sequence[Tensor], *shared: Tensor, width: int
) -> tuple[Parts, Parts]:
    """``function(*rows, *shared)``, called with at most some of the rows at a time.

    Backward computes each part again (Chen 2016, arXiv:1604.06174), so that of N * width numbers neither pass
    holds more than 2^20 at once (2^24 on an accelerator), as many times as ``function`` makes of them. What
    is made of several parts can be differentiated once, not twice. One part is an ordinary call, and so is a
    program that torch.compile, torch.export or torch.jit.trace makes: how many parts there are would be fixed
    in it.

    Args:
        function: gives tensors [n, ...] of the n rows that it is given, and sums over these rows.
        rows: tensors [N, ...].
        shared: tensors that every part sees whole.
        width: how many numbers ``function`` makes of a row at once.

    Returns:
        The tensors [N, ...] and the sums over all rows.
    """
    if is_compiling() or is_tracing():
        return function(*rows, *shared)
    numbers = _CPU_NUMBERS if rows[0].device.type == "cpu" else _ACCELERATOR_NUMBERS
    size = max(numbers // width, 1)
    if len(rows[0]) <= size:
        return function(*rows, *shared)
    lengths: list[int] = []
    found: Parts = _InParts.apply(function, size, len(rows), lengths, *rows, *shared)  # type: ignore[no-untyped-call]  # torch's
    return found[: lengths[0]], found[lengths[0] :]


class _InParts(torch.autograd.Function):
    """Keeps what the function is given, and nothing that it makes of it.

    What stays is written into tensors that were made before: small ones between large ones that come and go
    would leave the allocator with holes, several times what is held.
    """

    @staticmethod
    def forward(
        ctx: Any,
        function: Callable[..., tuple[Parts, Parts]],
        size: int,
        num_rows: int,
        lengths: list[int],
        *given: Tensor,
    ) -> Parts:
        ctx.function, ctx.size, ctx.num_rows = function, size, num_rows
        ctx.save_for_backward(*given)
        ctx.set_materialize_grads(False)
        rows, shared = given[:num_rows], given[num_rows:]
        whole: list[Tensor] = []
        totals: list[Tensor] = []
        for start, *part in _parts(rows, size):
            each, sums = function(*part, *shared)
            if start == 0:
                whole = [one.new_empty((len(rows[0]), *one.shape[1:])) for one in each]
                totals = [torch.zeros_like(one) for one in sums]
            for one, made in zip(whole, each, strict=True):
                one[start : start + size] = made
            for total, made in zip(totals, sums, strict=True):
                total.add_(made)
        lengths.append(len(whole))
        ctx.mark_non_differentiable(*(one for one in (*whole, *totals) if not one.is_floating_point()))
        return (*whole, *totals)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        needed, given = ctx.needs_input_grad[4:], ctx.saved_tensors
        found = [torch.zeros_like(one) if needs else None for one, needs in zip(given, needed, strict=True)]
        for start, *part in _parts(given[: ctx.num_rows], ctx.size):
            inputs = [
                one.detach().requires_grad_(needs)
                for one, needs in zip((*part, *given[ctx.num_rows :]), needed, strict=True)
            ]
            with torch.enable_grad():
                each, sums = ctx.function(*inputs)
            of_part = [
                one if one is None or number >= len(each) else one[start : start + ctx.size]
                for number, one in enumerate(gradients)
            ]
            pairs = [
                (made, gradient)
                for made, gradient in zip((*each, *sums), of_part, strict=True)
                if made.requires_grad and gradient is not None
            ]
            if not pairs:
                continue
            wanted = [(number, one) for number, one in enumerate(inputs) if one.requires_grad]
            made, of_made = zip(*pairs, strict=True)
            slopes = torch.autograd.grad(made, [one for _, one in wanted], of_made, allow_unused=True)
            for (number, _), slope in zip(wanted, slopes, strict=True):
                total = found[number]
                if total is not None and slope is not None:
                    place = total[start : start + ctx.size] if number < ctx.num_rows else total
                    place.add_(slope)
        return None, None, None, None, *found


def _parts(rows: Sequence[Tensor], size: int) -> Iterator[tuple[Any, ...]]:
    """The first row's number, and at most ``size`` rows of each tensor."""
    return zip(range(0, len(rows[0]), size), *(value.split(size) for value in rows), strict=True)

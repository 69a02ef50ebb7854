"""A function of many rows, by parts of them, so that what it makes on its way is never held for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    found: list[Parts] = [
        _Part.apply(function, lengths, *part, *shared)  # type: ignore[no-untyped-call]  # torch's
        for part in zip(*(value.split(size) for value in rows), strict=True)
    ]
    joined = list(zip(*found, strict=True))
    each = tuple(torch.cat(values) for values in joined[: lengths[0]])
    return each, tuple(torch.stack(values).sum(0) for values in joined[lengths[0] :])


class _Part(torch.autograd.Function):
    """Keeps what a part is given, and nothing that it makes of it."""

    @staticmethod
    def forward(
        ctx: Any, function: Callable[..., tuple[Parts, Parts]], lengths: list[int], *given: Tensor
    ) -> Parts:
        ctx.function = function
        ctx.save_for_backward(*given)
        ctx.set_materialize_grads(False)
        each, sums = function(*given)
        lengths.append(len(each))
        ctx.mark_non_differentiable(*(one for one in (*each, *sums) if not one.is_floating_point()))
        return (*each, *sums)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        needed = ctx.needs_input_grad[2:]
        given = [
            one.detach().requires_grad_(needs) for one, needs in zip(ctx.saved_tensors, needed, strict=True)
        ]
        with torch.enable_grad():
            each, sums = ctx.function(*given)
        pairs = [
            (made, gradient)
            for made, gradient in zip((*each, *sums), gradients, strict=True)
            if made.requires_grad and gradient is not None
        ]
        if not pairs:
            return (None,) * (2 + len(given))
        wanted = [one for one in given if one.requires_grad]
        made, of_made = zip(*pairs, strict=True)
        found = iter(torch.autograd.grad(made, wanted, of_made, allow_unused=True))
        return None, None, *(next(found) if needs else None for needs in needed)

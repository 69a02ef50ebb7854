"""A function of many rows, by parts of them, so that what it makes on its way is never held for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.compiler import is_compiling
from torch.jit import is_tracing
from torch.utils.checkpoint import checkpoint

_CPU_NUMBERS = 2**20  # of a part at a time: 4 MiB of float32, which stay in the cache
_ACCELERATOR_NUMBERS = 2**24  # 64 MiB: fewer kernels

Parts = tuple[Tensor, ...]


def in_chunks(
    function: Callable[..., tuple[Parts, Parts]], rows: Sequence[Tensor], *shared: Tensor, width: int
) -> tuple[Parts, Parts]:
    """``function(*rows, *shared)``, called with at most some of the rows at a time.

    Backward computes each part again (Chen 2016, arXiv:1604.06174), so that of N * width numbers neither pass
    holds more than 2^20 at once (2^24 on an accelerator), as many times as ``function`` makes of them. One
    part is computed once, and so is a program that torch.compile, torch.export or torch.jit.trace makes: how
    many parts there are would be fixed in it. torch.func differentiates one part alone.

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
    # randomness that a part needs comes with its rows
    found = [
        checkpoint(function, *part, *shared, use_reentrant=False, preserve_rng_state=False)
        for part in zip(*(value.split(size) for value in rows), strict=True)
    ]
    each = tuple(torch.cat(values) for values in zip(*(one for one, _ in found), strict=True))
    sums = tuple(torch.stack(values).sum(0) for values in zip(*(total for _, total in found), strict=True))
    return each, sums

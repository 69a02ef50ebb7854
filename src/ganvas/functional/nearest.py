"""The nearest code of each vector."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_CPU_SCORES = 2**20  # rows times codes at a time: 4 MiB of float32, which stay in the cache
_ACCELERATOR_SCORES = 2**24  # 64 MiB: fewer kernels


@torch.no_grad()
def nearest_code(rows: Tensor, codebook: Tensor) -> Tensor:
    """Index of the code with the least Euclidean distance to each row; the first of equal ones.

    It maximizes z.e - |e|^2/2 in float32 whatever the autocast and the matmul precision, after the mean of
    the codes is subtracted from both: at a mean of 100, 1.8 % of the codes would be wrong without.
    The matrix of rows by codes is made in chunks, and never held whole.

    Args:
        rows: [N, D], any float type.
        codebook: [K, D].

    Returns:
        int64 [N] in [0, K).
    """
    with torch.autocast(rows.device.type, enabled=False), _full_precision(rows.device):
        codes = codebook.float()
        mean = codes.mean(0)
        codes = codes - mean
        offset = codes.square().sum(1).mul_(-0.5)  # [K]
        chunk = _CPU_SCORES if rows.device.type == "cpu" else _ACCELERATOR_SCORES
        size = max(chunk // codes.shape[0], 1)
        return torch.cat(
            [torch.addmm(offset, part.float() - mean, codes.T).argmax(1) for part in rows.split(size)]
        )


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Float32 products as such: TensorFloat-32, where a run allows it, keeps 10 bits."""
    before = torch.get_float32_matmul_precision()
    if device.type == "cpu" or before == "highest":
        yield
        return
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)

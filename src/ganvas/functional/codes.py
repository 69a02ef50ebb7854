"""Statistics of codes, and rows from which codes are made."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.functional.distributed import rank, sum_over_ranks, world_size
from ganvas.functional.random import hash_index


def count_codes(indices: Tensor, num_codes: int) -> Tensor:
    """How often each code occurs in this rank's ``indices`` (int64, any shape): float32 [num_codes]."""
    if indices.device.type == "cpu":
        return torch.bincount(indices.flatten(), minlength=num_codes).float()
    # bincount waits for the device; sums of ones are exact in any order
    flat = indices.flatten()
    counts = torch.zeros(num_codes, device=indices.device)
    return counts.scatter_add_(0, flat, torch.ones_like(flat, dtype=torch.float32))


def usage(counts: Tensor) -> dict[str, Tensor]:
    """``perplexity`` exp H(p), p the distribution behind ``counts`` [K], and ``codes_used``; both scalars."""
    share = counts / counts.sum().clamp(min=1)
    return {"perplexity": torch.special.entr(share).sum().exp(), "codes_used": (counts > 0).sum().float()}


def spread_rows(rows: Tensor, num: int, key: Tensor) -> Tensor:
    """``num`` rows of the global batch, one from each of ``num`` equal stretches; the same on every rank.

    Args:
        rows: this rank's [N, D]; N is equal on all ranks.
        num: how many; more than all ranks' rows together come with repeats.
        key: int64 scalar on the rows' device; it decides which row of each stretch.

    Returns:
        [num, D], detached.
    """
    total = rows.shape[0] * world_size()
    number = torch.arange(num, device=rows.device)
    start, end = number * total // num, (number + 1) * total // num
    draw = hash_index(number + key * num, "spread_rows")
    choice = start + draw % (end - start).clamp(min=1)  # [num], numbers in the global batch
    if world_size() == 1:
        return rows.detach()[choice]
    local = choice - rank() * rows.shape[0]
    own = (local >= 0) & (local < rows.shape[0])
    picked = rows.detach()[local.clamp(0, rows.shape[0] - 1)]
    return sum_over_ranks(picked.where(own[:, None], picked.new_zeros(())))


def first_codes(rows: Tensor, num: int) -> Tensor:
    """Codes from the first batch's vectors: rows of all ranks [num, D], with a little noise.

    The noise, 1 % of the rows' standard deviation, parts codes that come from equal rows.
    """
    zero = torch.zeros((), dtype=torch.int64, device=rows.device)
    codes = spread_rows(rows, num, zero)
    number = torch.arange(codes.numel(), device=rows.device).view_as(codes)
    noise = hash_index(number, "first_codes").double() / 2**62 - 1  # uniform on [-1, 1)
    return codes + 0.01 * codes.std(unbiased=False) * noise.to(codes.dtype)

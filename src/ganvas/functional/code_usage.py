"""How codes are used, level by level, also where no table can hold a level's codes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ganvas.functional.distributed import all_rows, sum_over_ranks
from ganvas.functional.precision import widened, widest_float

LARGEST_TABLE = 2**20  # codes of a level; more are counted by sorting the indices that there are


def count_codes(indices: Tensor, num_codes: int, weight: Tensor | None = None) -> Tensor:
    """How often each code occurs in this rank's ``indices`` (int64, any shape): float32 [num_codes].

    Args:
        weight: of each index, float32 of their shape; 0 leaves one out. All are one without.
    """
    flat = indices.flatten()
    if indices.device.type == "cpu":
        weights = None if weight is None else weight.flatten()
        return torch.bincount(flat, weights, minlength=num_codes).float()
    # bincount waits for the device; sums of ones are exact in any order
    ones = torch.ones_like(flat, dtype=torch.float32) if weight is None else weight.flatten().float()
    return torch.zeros(num_codes, device=indices.device).scatter_add_(0, flat, ones)


def count_present(indices: Tensor, weight: Tensor | None = None) -> Tensor:
    """How often each code that occurs does so, without a table: float32 [N], the order says nothing.

    Some of the N numbers are 0 where codes repeat: the shape does not depend on the values, and so the host
    waits for no device.
    """
    flat = indices.flatten()
    if not len(flat):
        return torch.zeros(0, device=flat.device)
    ordered, order = flat.sort()
    is_first = torch.ones_like(ordered)
    is_first[1:] = (ordered[1:] != ordered[:-1]).to(is_first.dtype)
    ones = torch.ones_like(ordered, dtype=torch.float32)
    added = ones if weight is None else weight.flatten().float()[order]
    return torch.zeros_like(ones).scatter_add_(0, is_first.cumsum(0) - 1, added)


def counts_to_sum(indices: Tensor, num_codes: int) -> Tensor:
    """How often each code occurs in ``indices`` (int64, any shape), as [num_codes], which sums add up.

    In the device's widest float, and sparse where no table can hold the codes.
    """
    if num_codes <= LARGEST_TABLE:
        return torch.bincount(indices.flatten(), minlength=num_codes).to(widest_float(indices.device))
    codes, number = indices.flatten().unique(return_counts=True)
    return torch.sparse_coo_tensor(
        codes[None], widened(number), (num_codes,), is_coalesced=True, check_invariants=False
    )


def usage(counts: Tensor) -> dict[str, Tensor]:
    """``perplexity`` exp H(p), p the distribution behind ``counts``, and ``codes_used``; both scalars."""
    if counts.is_sparse:
        counts = counts.coalesce().values()
    share = counts / counts.sum().clamp(min=1)
    return {"perplexity": torch.special.entr(share).sum().exp(), "codes_used": (counts > 0).sum().float()}


def usage_of_levels(
    indices: Tensor, sizes: Sequence[int], *, weight: Tensor | None = None, over_ranks: bool
) -> tuple[dict[str, Tensor], ...]:
    """:func:`usage` of each level of indices int64 [N, levels].

    Args:
        sizes: number of codes of each level.
        weight: of each of the N, float32 [N].
        over_ranks: count those of all ranks together; then every rank calls it, with as many rows.
    """
    each = []
    for level, size in zip(indices.unbind(1), sizes, strict=True):
        if size <= LARGEST_TABLE:
            counts = count_codes(level, size, weight)
            each.append(usage(sum_over_ranks(counts) if over_ranks else counts))
            continue
        everyone = all_rows(level) if over_ranks else level
        weights = all_rows(weight) if over_ranks and weight is not None else weight
        each.append(usage(count_present(everyone, weights)))
    return tuple(each)


def of_all_levels(each: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The levels' mean of every number under its name, and where there are several also each level's.

    Level 2's perplexity is ``perplexity_level_2``; the first level is 1.
    """
    if len(each) == 1:
        return each[0]
    means = {name: torch.stack([one[name] for one in each]).mean() for name in each[0]}
    return means | {
        f"{name}_level_{number}": value for number, one in enumerate(each, 1) for name, value in one.items()
    }

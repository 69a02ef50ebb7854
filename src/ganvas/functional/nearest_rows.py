"""The nearest rows of a large set that comes in batches."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ganvas.functional.precision import widened


@torch.no_grad()
def nearest_rows(queries: Tensor, batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` rows with the least Euclidean distance to each query, nearest first; the first of equal ones.

    Differences are squared as such, not expanded to products, so that an equal row has distance 0.

    Args:
        queries: [Q, F].
        batches: the rows, [B, F] each, at least ``k`` together.
        k: at least 1.

    Returns:
        distances float64 [Q, k], and the rows' numbers int64 [Q, k] in the order in which they came.
    """
    queries = widened(queries)
    best = queries.new_empty(len(queries), 0)
    number = torch.empty(len(queries), 0, dtype=torch.int64, device=queries.device)
    seen = 0
    for rows in batches:
        there = torch.cdist(queries, widened(rows), compute_mode="donot_use_mm_for_euclid_dist")  # [Q, B]
        fresh = torch.arange(seen, seen + len(rows), device=queries.device).expand(len(queries), -1)
        # stable: of equal distances the earlier row stays in front
        best, order = torch.cat([best, there], dim=1).sort(dim=1, stable=True)
        number = torch.cat([number, fresh], dim=1).gather(1, order)[:, :k]
        best, seen = best[:, :k], seen + len(rows)
    return best, number

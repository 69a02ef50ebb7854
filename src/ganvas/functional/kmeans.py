"""k-means on the vectors of all ranks, with draws that are functions of a key."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.functional.codes import code_sums, spread_rows
from ganvas.functional.distributed import sum_over_ranks
from ganvas.functional.nearest import nearest_code
from ganvas.functional.precision import widest_float

LLOYD_ITERATIONS = 10


@torch.no_grad()
def kmeans(
    rows: Tensor, num: int, *, iterations: int = LLOYD_ITERATIONS, there: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Centroids of the global batch's rows and how many rows are nearest to each; the same on every rank.

    The seeds are drawn as k-means++ draws them (Arthur & Vassilvitskii 2007), by the squared distance to
    those that are there, but not one at a time: each round adds a quarter of their number. A centroid that no
    row is nearest to moves to a row far from its own; in the last iteration as well, and its count is 0 then.

    Args:
        rows: this rank's [N, D], float32 or float64; N is equal on all ranks.
        num: K, at most as many as all ranks' rows that are there.
        iterations: of Lloyd's algorithm.
        there: float [N], 0 for rows that are left out and 1 for the others.

    Returns:
        [K, D] in the rows' type, and float32 [K].
    """
    rows = rows.detach()
    centroids, number = spread_rows(rows, 1, _key(0, rows), there=there), 0
    while len(centroids) < num:
        number += 1
        more = min(-(-len(centroids) // 4), num - len(centroids))
        far = spread_rows(rows, more, _key(number, rows), weight=_error(rows, centroids), there=there)
        centroids = torch.cat([centroids, far])
    counts = torch.zeros(num, device=rows.device)
    for step in range(iterations):
        index = nearest_code(rows, centroids)
        sums, counts = _sums(rows, index, num, there)
        far = spread_rows(
            rows, num, _key(number + 1 + step, rows), weight=_error(rows, centroids, index), there=there
        )
        mean = sums / counts.clamp(min=1)[:, None]
        centroids = torch.where(counts[:, None] > 0, mean.to(rows.dtype), far)
    return centroids, counts.float()


def _key(number: int, rows: Tensor) -> Tensor:
    return torch.tensor(number, dtype=torch.int64, device=rows.device)


def _error(rows: Tensor, centroids: Tensor, index: Tensor | None = None) -> Tensor:
    """Squared distances [N] of rows to the nearest centroid."""
    nearest = nearest_code(rows, centroids) if index is None else index
    return (rows - centroids[nearest]).square().sum(1)


def _sums(rows: Tensor, index: Tensor, num: int, there: Tensor | None) -> tuple[Tensor, Tensor]:
    """Sums [K, D] and counts [K] of the rows of each centroid, over all ranks, in the widest type."""
    wide = widest_float(rows.device)
    ones = torch.ones_like(rows[:, 0]) if there is None else there
    counted = torch.cat([rows * ones[:, None], ones[:, None]], dim=1).to(wide)  # [N, D + 1]
    both = sum_over_ranks(code_sums(counted, index, num))
    return both[:, :-1], both[:, -1]

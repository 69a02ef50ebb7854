"""Distances between all pairs of two sets of vectors, in chunks and in float64.

On a device that has no float64 it is float32, here and in the other files that say float64.

The matrix of all pairs is never held whole. A squared distance is ``|a|^2 + |b|^2 - 2 a.b`` after one vector
is subtracted from all, so that a large mean costs no digits; vectors of integers give exact results.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ganvas.functional.precision import widened, widest_float

_CPU_PAIRS = 2**21  # pairs at a time: 16 MiB of float64
_ACCELERATOR_PAIRS = 2**26  # 512 MiB: fewer kernels


def pair_chunks(num_rows: int, num_others: int, device: torch.device) -> Iterator[slice]:
    """Slices of the rows, so that each slice times all others is a bounded number of pairs."""
    pairs = _CPU_PAIRS if device.type == "cpu" else _ACCELERATOR_PAIRS
    size = max(pairs // max(num_others, 1), 1)
    for start in range(0, num_rows, size):
        yield slice(start, min(start + size, num_rows))


@torch.no_grad()
def squared_distances(rows: Tensor, others: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared Euclidean distances, some rows at a time.

    Args:
        rows: float [N, F].
        others: float [M, F], M at least 1.

    Yields:
        A slice of the rows and its distances float64 [n, M], at least 0.
    """
    origin = widened(others[0])
    others = widened(others) - origin
    squares = others.square().sum(1)  # [M]
    for part in pair_chunks(len(rows), len(others), rows.device):
        some = widened(rows[part]) - origin
        products = torch.addmm(squares, some, others.T, alpha=-2)  # [n, M]
        yield part, products.add_(some.square().sum(1, keepdim=True)).clamp_(min=0)


def squared_radii(rows: Tensor, k: int) -> Tensor:
    """Squared distance of each row to its k-th nearest other row.

    Args:
        rows: float [N, F], N above k.
        k: from 1; an equal row is a neighbour at distance 0, the row itself is none.

    Returns:
        float64 [N].
    """
    radii = torch.empty(len(rows), dtype=widest_float(rows.device), device=rows.device)
    for part, distances in squared_distances(rows, rows):
        distances[:, part].fill_diagonal_(torch.inf)  # the row itself
        radii[part] = distances.topk(k, dim=1, largest=False).values[:, -1]
    return radii


def nearest_distances(rows: Tensor, others: Tensor) -> Tensor:
    """Euclidean distance of each row [N, F] to the nearest of the others [M, F], float64 [N]."""
    return torch.cat([distances.amin(1) for _, distances in squared_distances(rows, others)]).sqrt()

"""Mean and covariance from running sums."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_and_covariance(*, count: Tensor, total: Tensor, outer: Tensor) -> tuple[Tensor, Tensor]:
    """The moments of n vectors of which only sums were kept.

    Args:
        count: n, at least 2, scalar.
        total: float64 [F], the sum of the vectors.
        outer: float64 [F, F], the sum of their outer products.

    Returns:
        Mean float64 [F] and unbiased covariance float64 [F, F].
    """
    mean = total / count
    return mean, (outer - count * torch.outer(mean, mean)) / (count - 1)

"""The squared maximum mean discrepancy of two sets of vectors (Gretton 2012), with its standard error."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.functional.neighbours import pair_chunks
from ganvas.functional.precision import widened


@torch.no_grad()
def kernel_distance(*, features_1: Tensor, features_2: Tensor) -> tuple[Tensor, Tensor]:
    """The unbiased estimate over all pairs, with the kernel ``(x.y / F + 1)^3`` (Binkowski 2018, eq. 4).

    The standard error is that of the two-sample jackknife: each vector of either set is left out once, for
    which the sums of the kernel's rows are enough. It cannot be negative, as the closed form of a
    U-statistic's variance can; where both sets come from one distribution it is too large (by up to
    sqrt 2), never too small.

    Args:
        features_1: float [m, F], m at least 3; ``features_2`` [n, F] likewise.

    Returns:
        The estimate, which may be below 0, and its standard error; scalars float64.
    """
    x, y = widened(features_1), widened(features_2)
    m, n = len(x), len(y)
    within_x, within_y = _sums_within(x), _sums_within(y)  # [m], [n]
    across_x, across_y = _sums_across(x, y)  # [m], [n]
    total_x, total_y, across = within_x.sum(), within_y.sum(), across_x.sum()

    def estimate(m: int, n: int, total_x: Tensor, total_y: Tensor, across: Tensor) -> Tensor:
        return total_x / (m * (m - 1)) + total_y / (n * (n - 1)) - 2 * across / (m * n)

    without_x = estimate(m - 1, n, total_x - 2 * within_x, total_y, across - across_x)  # [m]
    without_y = estimate(m, n - 1, total_x, total_y - 2 * within_y, across - across_y)  # [n]
    variance = sum(
        (len(each) - 1) / len(each) * (each - each.mean()).square().sum() for each in (without_x, without_y)
    )
    assert isinstance(variance, Tensor)
    return estimate(m, n, total_x, total_y, across), variance.sqrt()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    """[n, F] and [m, F] to [n, m]."""
    products = torch.mm(x, y.T).div_(x.shape[1]).add_(1)
    return products * products * products  # several times faster than pow


def _sums_within(x: Tensor) -> Tensor:
    """For each row the sum of its kernel with all other rows, [N]; each pair is computed once."""
    sums = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for part in pair_chunks(len(x), len(x), x.device):
        kernel = _kernel(x[part], x[part.start :])  # [n, N - start]
        kernel[:, : part.stop - part.start].fill_diagonal_(0)
        sums[part] += kernel.sum(1)
        sums[part.stop :] += kernel[:, part.stop - part.start :].sum(0)
    return sums


def _sums_across(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of the kernel's rows [m] and columns [n]."""
    rows, columns = [], torch.zeros(len(y), dtype=y.dtype, device=y.device)
    for part in pair_chunks(len(x), len(y), x.device):
        kernel = _kernel(x[part], y)
        rows.append(kernel.sum(1))
        columns += kernel.sum(0)
    return torch.cat(rows), columns

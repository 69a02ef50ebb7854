"""The Frechet distance of two Gaussians (Dowson & Landau 1982; Heusel 2017, arXiv:1706.08500, eq. 6)."""

from __future__ import annotations

import torch
from torch import Tensor


def frechet_distance(*, mean_1: Tensor, covariance_1: Tensor, mean_2: Tensor, covariance_2: Tensor) -> Tensor:
    """``|mu1 - mu2|^2 + tr S1 + tr S2 - 2 tr sqrt(S1 S2)``.

    With S1 = L L', the matrices S1 S2 and L' S2 L have the same eigenvalues, and the second one is
    symmetric; so no complex square root of a matrix is needed.

    Args:
        mean_1: float [F]; ``mean_2`` likewise.
        covariance_1: float [F, F], symmetric and positive semidefinite; ``covariance_2`` likewise.

    Returns:
        Scalar float64, at least 0: rounding may make it a little negative, which is clamped.
    """
    mean_1, covariance_1, mean_2, covariance_2 = (
        value.double() for value in (mean_1, covariance_1, mean_2, covariance_2)
    )
    factor = _square_root_factor(covariance_1)  # [F, F]
    eigenvalues = torch.linalg.eigvalsh(factor.T @ covariance_2 @ factor)  # [F]
    trace_of_root = eigenvalues.clamp(min=0).sqrt().sum()
    distance = (
        (mean_1 - mean_2).square().sum()
        + covariance_1.diagonal().sum()
        + covariance_2.diagonal().sum()
        - 2 * trace_of_root
    )
    return distance.clamp(min=0)


def _square_root_factor(covariance: Tensor) -> Tensor:
    """L [F, F] with L L' = ``covariance``: Cholesky's, or by eigenvectors where the rank is deficient."""
    factor, failed = torch.linalg.cholesky_ex(covariance)
    if not failed:
        return factor
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance)
    return eigenvectors * eigenvalues.clamp(min=0).sqrt()

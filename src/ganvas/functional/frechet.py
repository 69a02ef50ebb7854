"""The Frechet distance of two Gaussians (Dowson & Landau 1982; Heusel 2017, arXiv:1706.08500, eq. 6)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.functional.precision import widened

_EXPLAINED = 1e-9  # share of a variance below which it counts as explained by other features


def frechet_distance(*, mean_1: Tensor, covariance_1: Tensor, mean_2: Tensor, covariance_2: Tensor) -> Tensor:
    """``|mu1 - mu2|^2 + tr S1 + tr S2 - 2 tr sqrt(S1 S2)``.

    With S1 = L L', the matrices S1 S2 and L' S2 L have the same nonzero eigenvalues, and the second one is
    symmetric; so no complex square root of a matrix is needed.

    Args:
        mean_1: float [F]; ``mean_2`` likewise.
        covariance_1: float [F, F], symmetric and positive semidefinite; ``covariance_2`` likewise.

    Returns:
        Scalar float64, at least 0: rounding may make it a little negative, which is clamped.
    """
    mean_1, covariance_1, mean_2, covariance_2 = (
        widened(value) for value in (mean_1, covariance_1, mean_2, covariance_2)
    )
    variance_1, variance_2 = covariance_1.diagonal(), covariance_2.diagonal()
    # A feature that never varies on one side (a dead unit, a black border) has no part in the root; with it
    # Cholesky's decomposition would fail.
    alive = (variance_1 > 0) & (variance_2 > 0)
    trace_of_root = _trace_of_root(covariance_1[alive][:, alive], covariance_2[alive][:, alive])
    distance = (mean_1 - mean_2).square().sum() + variance_1.sum() + variance_2.sum() - 2 * trace_of_root
    return distance.clamp(min=0)


def frechet_distance_of_samples(*, features_1: Tensor, features_2: Tensor) -> Tensor:
    """The same between the moments of two sets of vectors (covariances unbiased); fast where they are few.

    With centred rows X1, X2, ``tr sqrt(S1 S2)`` is the sum of the singular values of X1 X2', divided by
    ``sqrt((n1 - 1)(n2 - 1))``: a matrix of n1 x n2 and not of F x F, and no rank is missing.

    Args:
        features_1: float [n1, F], n1 at least 2; ``features_2`` likewise.

    Returns:
        Scalar float64, at least 0.
    """
    features_1, features_2 = widened(features_1), widened(features_2)
    (n_1, num_features), n_2 = features_1.shape, len(features_2)
    if min(n_1, n_2) > num_features:
        return frechet_distance(
            mean_1=features_1.mean(0),
            covariance_1=torch.cov(features_1.T).view(num_features, num_features),
            mean_2=features_2.mean(0),
            covariance_2=torch.cov(features_2.T).view(num_features, num_features),
        )
    mean_1, mean_2 = features_1.mean(0), features_2.mean(0)
    root_1 = (features_1 - mean_1) / (n_1 - 1) ** 0.5  # [n1, F]; S1 = root_1' root_1
    root_2 = (features_2 - mean_2) / (n_2 - 1) ** 0.5
    trace_of_root = torch.linalg.svdvals(root_1 @ root_2.T).sum()
    distance: Tensor = (
        (mean_1 - mean_2).square().sum() + root_1.square().sum() + root_2.square().sum() - 2 * trace_of_root
    )
    return distance.clamp(min=0)


def _trace_of_root(covariance_1: Tensor, covariance_2: Tensor) -> Tensor:
    """``tr sqrt(S1 S2)``, scalar; no variance is 0."""
    if not len(covariance_1):
        return covariance_1.sum()
    # Factor the side of lower rank: a matrix wider than its rank has eigenvalues that are rounding alone.
    factor, rank = _cholesky(covariance_1)
    if rank == len(factor):
        factor_2, rank_2 = _cholesky(covariance_2)
        if rank_2 < rank:
            factor, rank, covariance_1, covariance_2 = factor_2, rank_2, covariance_2, covariance_1
    if rank < len(factor):
        factor = _factor_of_low_rank(covariance_1)
    eigenvalues: Tensor = torch.linalg.eigvalsh(factor.T @ covariance_2 @ factor)  # [r]
    return eigenvalues.clamp(min=0).sqrt().sum()


def _cholesky(covariance: Tensor) -> tuple[Tensor, int]:
    """L [F, F], and the first feature that those before it explain, up to rounding: F where there is none."""
    factor, _ = torch.linalg.cholesky_ex(covariance)
    # The square of a pivot over the variance is the part that features before it do not explain.
    unexplained = factor.diagonal().square() / covariance.diagonal()
    whole = unexplained > len(covariance) * torch.finfo(factor.dtype).eps  # False for NaN
    return factor, len(whole) if whole.all() else int(whole.int().argmin())


def _factor_of_low_rank(covariance: Tensor) -> Tensor:
    """L [F, r] with L L' = ``covariance`` of rank r, without the directions that are rounding alone.

    As a rule any r features explain the others: Cholesky's decomposition ends after the r-th. Where features
    depend on each other in another way, eigenvectors are taken, at three times the cost.
    """
    order = covariance.diagonal().argsort(descending=True)
    ordered = covariance[order][:, order]
    _, rank = _cholesky(ordered)
    factor, failed = torch.linalg.cholesky_ex(ordered[:rank, :rank])
    below = torch.linalg.solve_triangular(factor, ordered[:rank, rank:], upper=False)  # [r, F - r]
    rest = 1 - below.square().sum(0) / ordered.diagonal()[rank:]  # of the variances, unexplained
    if rank and not failed and bool((rest.abs() < _EXPLAINED).all()):
        return torch.cat([factor, below.T])[order.argsort()]
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance)  # ascending
    rounding = len(covariance) * torch.finfo(eigenvalues.dtype).eps * eigenvalues[-1]
    kept = eigenvalues > rounding
    # Largest first: L' S2 L is then graded from its first entry on, as after Cholesky's decomposition, and
    # its small eigenvalues come out to 13 digits and not to 6 (seen with variances falling as i^-4).
    scaled: Tensor = eigenvectors[:, kept] * eigenvalues[kept].sqrt()
    return scaled.flip(1)

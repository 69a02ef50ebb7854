"""The Frechet distance against a closed form and against scipy's matrix square root."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from torchmetrics.image.fid import _compute_fid

from ganvas.functional.frechet import frechet_distance, frechet_distance_of_samples


def gaussian(seed: int, size: int, rank: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(size, rank or size, generator=generator, dtype=torch.float64)
    return torch.randn(size, generator=generator, dtype=torch.float64), root @ root.T / size


def distance(first: tuple[torch.Tensor, torch.Tensor], second: tuple[torch.Tensor, torch.Tensor]) -> float:
    return frechet_distance(
        mean_1=first[0], covariance_1=first[1], mean_2=second[0], covariance_2=second[1]
    ).item()


def reference(first: tuple[torch.Tensor, torch.Tensor], second: tuple[torch.Tensor, torch.Tensor]) -> float:
    (mean_1, cov_1), (mean_2, cov_2) = (tuple(value.numpy() for value in side) for side in (first, second))
    root = scipy.linalg.sqrtm(cov_1 @ cov_2)
    return float(np.square(mean_1 - mean_2).sum() + np.trace(cov_1 + cov_2 - 2 * np.real(root)))


def test_diagonal_gaussians_have_a_closed_form() -> None:
    first = torch.tensor([1.0, -2.0]), torch.diag(torch.tensor([4.0, 9.0]))
    second = torch.tensor([0.0, 1.0]), torch.diag(torch.tensor([1.0, 25.0]))
    # |mu|^2 = 1 + 9; (2 - 1)^2 + (3 - 5)^2 = 5
    assert distance(first, second) == pytest.approx(15.0, rel=1e-12)


@pytest.mark.parametrize("size", [1, 5, 40])
def test_agrees_with_scipy(size: int) -> None:
    first, second = gaussian(1, size), gaussian(2, size)
    assert distance(first, second) == pytest.approx(reference(first, second), rel=1e-8)
    assert distance(second, first) == pytest.approx(distance(first, second), rel=1e-8)


@pytest.mark.parametrize(("rank_1", "rank_2"), [(3, 20), (20, 3), (3, 4), (1, 1)])
def test_rank_deficient_covariances(rank_1: int, rank_2: int) -> None:
    """Products of low rank: the trace of the root is the nuclear norm of R1' R2 for S = R R'."""
    generator = torch.Generator().manual_seed(5)
    root_1 = torch.randn(20, rank_1, generator=generator, dtype=torch.float64)
    root_2 = torch.randn(20, rank_2, generator=generator, dtype=torch.float64)
    zero = torch.zeros(20)
    expected = (
        root_1.square().sum()
        + root_2.square().sum()
        - 2 * torch.linalg.matrix_norm(root_1.T @ root_2, ord="nuc")
    )
    made = distance((zero, root_1 @ root_1.T), (zero, root_2 @ root_2.T))
    assert made == pytest.approx(expected.item(), rel=1e-6)


def test_a_gaussian_is_at_no_distance_from_itself_and_never_below() -> None:
    for rank in (2, 30):
        first = gaussian(3, 30, rank)
        assert 0 <= distance(first, first) < 1e-5


def test_zero_covariance() -> None:
    zeros = torch.zeros(3, 3)
    first, second = (torch.tensor([1.0, 2.0, 3.0]), zeros), (torch.tensor([0.0, 0.0, 1.0]), torch.eye(3))
    assert distance(first, second) == pytest.approx(1 + 4 + 4 + 3, rel=1e-12)


def samples(seed: int, count: int, size: int, scale: torch.Tensor | float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, size, generator=generator, dtype=torch.float64) * scale + seed


def moments(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return rows.mean(0), torch.cov(rows.T)


def of_samples(first: torch.Tensor, second: torch.Tensor) -> float:
    return frechet_distance_of_samples(features_1=first, features_2=second).item()


@pytest.mark.parametrize("counts", [(400, 300), (20, 300), (300, 20), (20, 30)])
def test_agrees_with_torchmetrics_where_the_rank_is_full_and_where_not(counts: tuple[int, int]) -> None:
    first, second = moments(samples(0, counts[0], 64)), moments(samples(1, counts[1], 64, 1.5))
    expected = _compute_fid(*first, *second).item()
    assert distance(first, second) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("counts", [(90, 70), (20, 30), (20, 90), (90, 20), (2, 2)])
def test_the_distance_of_samples_is_that_of_their_moments(counts: tuple[int, int]) -> None:
    first, second = samples(0, counts[0], 40), samples(1, counts[1], 40, 1.5)
    assert of_samples(first, second) == pytest.approx(distance(moments(first), moments(second)), rel=1e-9)
    assert of_samples(first, second) == pytest.approx(of_samples(second, first), rel=1e-9)


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("counts", [(20, 20), (30, 20), (20, 90), (90, 20)])
def test_small_eigenvalues_are_not_drowned(counts: tuple[int, int], copied: bool) -> None:
    """Variances fall as i^-4: the products of eigenvalues are below the rounding of the largest."""
    scale = torch.arange(1, 41, dtype=torch.float64) ** -2
    first, second = (samples(0, counts[0], 40, scale), samples(0, counts[1], 40, 1.1 * scale))
    if copied:  # the first features do not explain the others: eigenvectors are taken
        first[:, 1], second[:, 1] = first[:, 0], second[:, 0]
    assert distance(moments(first), moments(second)) == pytest.approx(of_samples(first, second), rel=1e-9)


def test_features_that_never_vary_are_left_out() -> None:
    first, second = samples(0, 30, 6), samples(1, 40, 6, 2.0)
    first[:, 1], second[:, 4], first[:, 5], second[:, 5] = 3.0, 7.0, 1.0, 1.5
    made = distance(moments(first), moments(second))
    assert made == pytest.approx(of_samples(first, second), rel=1e-9)
    assert made == pytest.approx(_compute_fid(*moments(first), *moments(second)).item(), rel=1e-6)


def test_one_feature() -> None:
    first, second = torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([[0.0], [2.0]])
    assert of_samples(first, second) == pytest.approx(4 + (2 - 2**0.5) ** 2, rel=1e-12)

"""The Frechet distance against a closed form and against scipy's matrix square root."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch

from ganvas.functional.frechet import frechet_distance


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

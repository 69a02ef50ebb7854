"""Moments from sums against those of the vectors."""

from __future__ import annotations

import torch

from ganvas.functional.moments import mean_and_covariance


def test_moments_of_three_vectors() -> None:
    rows = torch.tensor([[1.0, 2.0], [3.0, 2.0], [5.0, 8.0]], dtype=torch.float64)
    mean, covariance = mean_and_covariance(count=torch.tensor(3), total=rows.sum(0), outer=rows.T @ rows)
    torch.testing.assert_close(mean, torch.tensor([3.0, 4.0], dtype=torch.float64))
    torch.testing.assert_close(covariance, torch.tensor([[4.0, 6.0], [6.0, 12.0]], dtype=torch.float64))

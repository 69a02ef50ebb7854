"""Nearest rows against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from ganvas.functional.nearest_rows import nearest_rows


@pytest.mark.parametrize("size", [1, 7, 64, 100])
def test_as_scikit_learn_finds_them(size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(9, 5, generator=generator)
    rows = torch.randn(64, 5, generator=generator) + 100  # far from zero, where products would cancel
    distances, numbers = nearest_rows(queries + 100, rows.split(size), 4)
    reference = NearestNeighbors(n_neighbors=4, algorithm="brute").fit(rows.double().numpy())
    expected = reference.kneighbors((queries + 100).double().numpy())
    assert np.array_equal(numbers.numpy(), expected[1])
    np.testing.assert_allclose(distances.numpy(), expected[0], rtol=1e-9)


def test_an_equal_row_has_distance_zero_and_the_first_of_equals_comes_first() -> None:
    query = torch.rand(1, 784, generator=torch.Generator().manual_seed(1))
    rows = torch.cat([query + 0.5, query, query + 0.25, query, query + 0.25])
    distances, numbers = nearest_rows(query, rows.split(2), 4)
    assert numbers.tolist() == [[1, 3, 2, 4]]
    assert distances[0, :2].tolist() == [0, 0]
    assert float(distances[0, 2]) == pytest.approx(0.25 * 28, rel=1e-6)

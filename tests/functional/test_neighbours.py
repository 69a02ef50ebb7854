"""Distances of all pairs against differences, with a large mean and over any chunks."""

from __future__ import annotations

import pytest
import torch

from ganvas.functional import neighbours
from ganvas.functional.neighbours import nearest_distances, pair_chunks, squared_distances, squared_radii


def rows(seed: int, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 5, generator=generator, dtype=torch.float64) + 100_000


@pytest.fixture(params=[1, 50, 10**6], autouse=True)
def pairs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_CPU_PAIRS", request.param)


def test_distances() -> None:
    x, y = rows(0, 13), rows(1, 11)
    expected = (x.double()[:, None] - y.double()).square().sum(2)
    made = torch.cat([distances for _, distances in squared_distances(x, y)])
    torch.testing.assert_close(made, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(nearest_distances(x, y), expected.amin(1).sqrt(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("k", [1, 4])
def test_radii(k: int) -> None:
    x = rows(2, 17)
    expected = (x.double()[:, None] - x.double()).square().sum(2).sort(1).values[:, k]
    torch.testing.assert_close(squared_radii(x, k), expected, rtol=1e-10, atol=1e-12)


def test_an_equal_row_is_a_neighbour() -> None:
    x = torch.tensor([[1.0, 2.0], [4.0, 6.0], [1.0, 2.0]])
    assert squared_radii(x, 1).tolist() == [0.0, 25.0, 0.0]
    assert squared_radii(x, 2).tolist() == [25.0, 25.0, 25.0]


def test_chunks_cover_every_row_once() -> None:
    numbers = list(range(13))
    assert [n for part in pair_chunks(13, 11, torch.device("cpu")) for n in numbers[part]] == numbers

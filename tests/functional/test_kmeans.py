from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ganvas.functional.kmeans import kmeans


def _nearest(rows: Tensor, centroids: Tensor) -> Tensor:
    return (rows[:, None] - centroids[None]).square().sum(2).argmin(1)


def _clusters(number: int = 24, each: int = 20) -> tuple[Tensor, Tensor]:
    """Centres [C, 3] far apart, and rows of theirs, the first center's ten times as many."""
    torch.manual_seed(1)
    centres = 30 * torch.randn(number, 3)
    rows = torch.cat([centres.repeat(each, 1), centres[:1].repeat(9 * each, 1)])
    return centres, (rows + 0.1 * torch.randn_like(rows))[torch.randperm(len(rows))]


def test_counts_and_centroids_are_those_of_one_more_step() -> None:
    torch.manual_seed(0)
    rows = torch.randn(500, 4)
    for iterations in (1, 10):
        before, _ = kmeans(rows, 9, iterations=iterations - 1)
        centroids, counts = kmeans(rows, 9, iterations=iterations)
        index = _nearest(rows, before)
        torch.testing.assert_close(counts, index.bincount(minlength=9).float())
        means = torch.stack([rows[index == k].mean(0) for k in range(9)])
        torch.testing.assert_close(centroids, means)
        assert counts.dtype == torch.float32


def test_it_finds_what_lies_apart() -> None:
    centres, rows = _clusters()
    centroids, counts = kmeans(rows, 40)
    assert torch.cdist(centres, centroids).amin(1).max().item() < 0.3  # one or two at each
    assert counts.sum().item() == len(rows)
    assert centroids.abs().max().item() < rows.abs().max().item()


def test_the_seeds_are_vectors_far_from_each_other() -> None:
    centres, rows = _clusters()
    seeds, _ = kmeans(rows, 24, iterations=0)
    assert all((rows == seed).all(1).any() for seed in seeds)
    # drawn evenly, 11 of 24 seeds would fall into the large cluster
    assert _nearest(seeds, centres).unique().numel() >= 16


def test_distortion_falls_and_is_below_that_of_vectors() -> None:
    torch.manual_seed(0)
    rows = torch.randn(2000, 2)
    errors = []
    for iterations in (0, 1, 3, 10):
        centroids, _ = kmeans(rows, 16, iterations=iterations)
        errors.append((rows - centroids[_nearest(rows, centroids)]).square().sum(1).mean().item())
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.9 * errors[0]


def test_rows_that_are_left_out_are_nowhere() -> None:
    _, rows = _clusters()
    padded = torch.cat([rows, torch.full((300, 3), 1e4)])
    there = torch.cat([torch.ones(len(rows)), torch.zeros(300)])
    centroids, counts = kmeans(padded, 24, there=there)
    assert centroids.abs().max().item() < 200
    assert counts.sum().item() == len(rows)


@pytest.mark.parametrize("rows", [torch.ones(40, 3), torch.eye(3).repeat(5, 1)])
def test_fewer_distinct_rows_than_centroids(rows: Tensor) -> None:
    """Those that no row is nearest to sit on rows as well, with a count of 0."""
    centroids, counts = kmeans(rows, 8)
    torch.testing.assert_close(torch.cdist(centroids, rows).amin(1), torch.zeros(8), rtol=0, atol=1e-5)
    assert torch.cdist(rows, centroids).amin(1).max().item() < 1e-5
    assert counts.sum().item() == len(rows)
    assert (counts == 0).any()


def test_double_is_not_rounded() -> None:
    torch.manual_seed(0)
    rows = 1 + 1e-9 * torch.randn(100, 2, dtype=torch.float64)
    centroids, _ = kmeans(rows, 4)
    assert centroids.dtype == torch.float64
    assert ((rows - centroids[_nearest(rows, centroids)]).norm(dim=1) / 1e-9).mean().item() < 1


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    first = kmeans(torch.arange(60.0).view(20, 3), 4)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    assert torch.equal(first[0], kmeans(torch.arange(60.0).view(20, 3), 4)[0])


def test_two_ranks_are_one_process_on_the_joint_batch(two_ranks: Callable[[str], list[Any]]) -> None:
    source = """
        from ganvas.functional.kmeans import kmeans

        torch.manual_seed(0)
        rows, there = torch.randn(400, 3), (torch.rand(400) < 0.7).float()
        own = slice(200 * rank, 200 * rank + 200)
        result = {"all": kmeans(rows[own], 19), "some": kmeans(rows[own], 19, there=there[own])}
    """
    torch.manual_seed(0)
    rows, there = torch.randn(400, 3), (torch.rand(400) < 0.7).float()
    for result in two_ranks(source):
        torch.testing.assert_close(result["all"], kmeans(rows, 19))
        torch.testing.assert_close(result["some"], kmeans(rows, 19, there=there))

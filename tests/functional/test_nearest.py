from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganvas.functional import nearest
from ganvas.functional.nearest import nearest_code


def _by_definition(rows: Tensor, codebook: Tensor) -> Tensor:
    return (rows.double()[:, None] - codebook.double()[None]).square().sum(2).argmin(1)


@pytest.mark.parametrize(("num_rows", "num_codes"), [(1, 1), (7, 1), (1000, 37), (513, 512)])
def test_it_is_the_least_distance(num_rows: int, num_codes: int) -> None:
    torch.manual_seed(0)
    rows, codebook = torch.randn(num_rows, 5), torch.randn(num_codes, 5) * torch.rand(num_codes, 1) * 3
    indices = nearest_code(rows, codebook)
    assert indices.dtype == torch.int64
    assert torch.equal(indices, _by_definition(rows, codebook))


@pytest.mark.parametrize("size", [1, 37, 100, 37 * 64 + 5])
def test_chunks_do_not_matter(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    rows, codebook = torch.randn(200, 4), torch.randn(37, 4)
    monkeypatch.setattr(nearest, "_CPU_SCORES", size)
    assert torch.equal(nearest_code(rows, codebook), _by_definition(rows, codebook))


@pytest.mark.parametrize("mean", [0.0, 100.0, 1000.0])
def test_a_mean_far_from_zero_flips_no_code(mean: float) -> None:
    torch.manual_seed(0)
    # sixteenths are exact in float32 at every one of these means, so the truth is the same at all
    rows, codebook = torch.randint(-64, 64, (2000, 8)) / 16, torch.randint(-64, 64, (256, 8)) / 16
    distance = (rows[:, None] - codebook[None]).square().sum(2)
    found = nearest_code(rows + mean, codebook + mean)
    chosen = distance.gather(1, found[:, None]).squeeze(1)
    plain = ((rows + mean) @ (codebook + mean).T - (codebook + mean).square().sum(1) / 2).argmax(1)
    if mean == 1000:  # the trap: without the subtraction many codes are wrong
        assert (distance.gather(1, plain[:, None]).squeeze(1) > distance.amin(1)).float().mean() > 0.05
    assert torch.equal(chosen, distance.amin(1))


def test_it_is_float32_within_autocast() -> None:
    torch.manual_seed(0)
    rows, codebook = torch.randn(2000, 16), torch.randn(256, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wrong = (rows @ codebook.T - codebook.square().sum(1) / 2).argmax(1)
        found = nearest_code(rows, codebook)
    assert torch.equal(found, _by_definition(rows, codebook))
    assert not torch.equal(found, wrong)


def test_no_gradient_and_half_rows() -> None:
    rows = torch.tensor([[0.9, 0.0], [0.0, -2.0]], dtype=torch.bfloat16, requires_grad=True)
    codebook = torch.tensor([[0.0, -1.0], [1.0, 0.0]], requires_grad=True)
    assert nearest_code(rows, codebook).tolist() == [1, 0]


def _regret(rows: Tensor, codebook: Tensor) -> tuple[float, float]:
    """Share of rows with another code than an exhaustive float64 search's; the largest relative loss."""
    distance = (rows.double()[:, None] - codebook.double()[None]).square().sum(2)
    found = distance.gather(1, nearest_code(rows, codebook)[:, None]).squeeze(1)
    best = distance.amin(1)
    return (found > best).float().mean().item(), (found / best - 1).max().item()


@pytest.mark.parametrize("far", [1e4, 1e5])
def test_one_far_code_flips_no_other(far: float) -> None:
    torch.manual_seed(0)
    rows, codebook = torch.randn(3000, 8), torch.randn(512, 8)
    codebook[100, 3] = far
    rows[7, 3] = far + 2
    wrong, loss = _regret(rows, codebook)
    assert wrong <= 0.001, "float32 tells two codes apart that differ by a millionth, or else takes either"
    assert loss < 1e-5
    assert nearest_code(rows, codebook)[7].item() == 100


def test_an_offset_dimension_flips_no_code() -> None:
    torch.manual_seed(0)
    rows, codebook = torch.randn(3000, 8), torch.randn(512, 8)
    rows[:, 2] += 1000
    codebook[:, 2] += 1000
    codebook[5, 6] = -1e4
    wrong, loss = _regret(rows, codebook)
    assert wrong <= 0.001
    assert loss < 1e-5


@pytest.mark.parametrize("apart", [1e3, 1e4, 1e5])
def test_clusters_that_are_far_apart(apart: float) -> None:
    torch.manual_seed(0)
    rows, codebook = torch.randn(3000, 8), torch.randn(257, 8)
    rows[::2, 1] += apart
    codebook[::2, 1] += apart
    codebook[3], rows[:9] = 0.0, torch.randn(9, 8) * 1e-4  # and rows on a code, as good as
    wrong, loss = _regret(rows, codebook)
    assert wrong <= 0.001
    assert loss < 1e-3


def test_one_far_code_flips_no_other_where_nothing_is_searched_again() -> None:
    """As on an accelerator: a program that torch.export makes asks nothing either."""
    torch.manual_seed(0)
    rows, codebook = torch.randn(3000, 8), torch.randn(512, 8)
    codebook[100] = 1e5

    class Search(torch.nn.Module):
        def forward(self, rows: Tensor, codebook: Tensor) -> Tensor:
            return nearest_code(rows, codebook)

    found = torch.export.export(Search(), (rows, codebook)).module()(rows, codebook)
    assert (found != _by_definition(rows, codebook)).float().mean() < 0.001  # most about the mean


def test_vectors_of_a_plain_background_are_not_searched_twice() -> None:
    """All on a code of their own: nothing else comes near, whatever rounding does."""
    torch.manual_seed(0)
    codebook = torch.randn(64, 8)
    rows = torch.cat([codebook[7].expand(500, 8), torch.randn(500, 8)])
    with torch.profiler.profile() as profile:
        found = nearest_code(rows, codebook)
    assert torch.equal(found, _by_definition(rows, codebook))
    assert sum(event.name == "aten::addmm" for event in profile.events()) == 1


def test_double_is_searched_in_double() -> None:
    codebook = torch.tensor([[1.0], [1.0 + 1e-9], [1.0 + 2e-9]], dtype=torch.float64)
    assert nearest_code(codebook + 2e-10, codebook).tolist() == [0, 1, 2]


def test_the_scores_are_never_held_whole() -> None:
    rows, codebook = torch.zeros(40_000, 2), torch.randn(4096, 2)  # 655 MB of scores, all in doubt
    with torch.profiler.profile(profile_memory=True) as profile:
        nearest_code(rows, codebook)
    largest = max(event.cpu_memory_usage for event in profile.events())
    assert largest <= 16 * 2**20

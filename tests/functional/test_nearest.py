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

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ganvas.functional.codes import code_sums, first_codes, spread_rows


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("num_codes", [37, 2**15, 2**15 + 2**10])
def test_sums_of_codes_are_those_of_their_rows_in_order(num_codes: int, kind: torch.dtype) -> None:
    torch.manual_seed(0)
    rows = torch.randn(500, 3, dtype=kind) * 10.0 ** torch.randint(-4, 5, (500, 1))
    indices = torch.randint(num_codes - 9, num_codes, (500,))  # the largest are the last to fit
    indices[400:] = 2
    sums = code_sums(rows, indices, num_codes)
    assert sums.shape == (num_codes, 3)
    assert sums.dtype == kind
    assert torch.equal(sums, torch.zeros_like(sums).index_add_(0, indices, rows))  # to the bit
    for code in (2, num_codes - 1):
        truth = rows[indices == code].double().sum(0)
        assert torch.allclose(sums[code].double(), truth, rtol=1e-4, atol=1e-2)
    assert sums[:2].abs().sum() == 0
    assert code_sums(rows[:0], indices[:0], num_codes).abs().sum() == 0


def test_spread_rows_takes_one_row_of_each_stretch() -> None:
    rows = torch.arange(30.0)[:, None]
    chosen = [spread_rows(rows, 10, torch.tensor(key)).squeeze(1) for key in range(40)]
    for values in chosen:
        assert torch.equal((values / 3).floor(), torch.arange(10.0))
    assert torch.equal(chosen[3], spread_rows(rows, 10, torch.tensor(3)).squeeze(1))
    assert len({tuple(values.tolist()) for values in chosen}) == 40  # each key its own choice
    assert torch.stack(chosen).unique().numel() == 30  # every row has its turn


def test_spread_rows_draws_no_row_that_is_not_there() -> None:
    rows, there = torch.arange(40.0)[:, None], (torch.arange(40) % 4 == 1).float()
    weight = torch.rand(40)
    for key in range(50):
        for weights in (None, weight, torch.zeros(40)):
            values = spread_rows(rows, 7, torch.tensor(key), weights, there).squeeze(1)
            assert (values % 4 == 1).all()
    assert first_codes(rows, 8, there).sub(1).remainder(4).sub(2).abs().min() > 1  # but for the noise


def test_spread_rows_repeats_where_there_are_too_few() -> None:
    values = spread_rows(torch.tensor([[1.0], [2.0], [4.0]]), 6, torch.tensor(1)).squeeze(1)
    assert values.tolist() == [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]


def test_spread_rows_follows_the_weights() -> None:
    rows, weight = torch.arange(40.0)[:, None], torch.tensor([0.0, 1.0, 3.0, 0.0]).repeat_interleave(10)
    chosen = torch.stack([spread_rows(rows, 4, torch.tensor(key), weight).squeeze(1) for key in range(200)])
    share = (chosen // 10).long().flatten().bincount(minlength=4) / chosen.numel()
    assert share.tolist() == pytest.approx([0.0, 0.25, 0.75, 0.0], abs=0.03)
    equal = spread_rows(rows[:4], 4, torch.tensor(1), torch.zeros(4)).squeeze(1)
    assert equal.tolist() == [0.0, 1.0, 2.0, 3.0]  # without any weight, evenly


@pytest.mark.parametrize("outlier", [1e2, 1e6, 1e10])
def test_one_heavy_row_does_not_own_the_choice(outlier: float) -> None:
    torch.manual_seed(0)
    rows, weight = torch.arange(300.0)[:, None], 1 + torch.rand(300)
    weight[17] = outlier
    for key in range(20):
        values = spread_rows(rows, 32, torch.tensor(key), weight).squeeze(1)
        assert (values == 17).sum().item() <= 2
        assert values.unique().numel() >= 31
    alone = torch.zeros(300)
    alone[17] = outlier
    assert (spread_rows(rows, 32, torch.tensor(0), alone) == 17).all()  # no other row has any weight


def test_spread_rows_does_not_hear_float_noise() -> None:
    torch.manual_seed(0)
    rows, weight = torch.arange(200.0)[:, None], torch.rand(200)
    noisy = weight * (1 + 1e-6 * torch.randn(200))
    same = [
        torch.equal(
            spread_rows(rows, 8, torch.tensor(key), weight), spread_rows(rows, 8, torch.tensor(key), noisy)
        )
        for key in range(50)
    ]
    assert sum(same) >= 48  # a place on a row's edge may fall to either side


def test_first_codes_are_rows_with_a_little_noise() -> None:
    torch.manual_seed(0)
    rows = torch.randn(50, 3)
    codes = first_codes(rows, 8)
    distance = (codes[:, None] - rows[None]).abs().amax(2)
    nearest, number = distance.min(1)
    assert number.unique().numel() == 8
    assert 0 < nearest.max().item() <= 0.0101 * rows.std().item() * 1.5
    assert torch.equal(codes, first_codes(rows, 8))
    equal = first_codes(torch.cat([torch.zeros(5, 3), torch.ones(5, 3)]), 8)
    assert equal.unique(dim=0).shape[0] == 8  # equal rows make codes that differ


def _noise_of(rows: torch.Tensor, num: int) -> torch.Tensor:
    """How far the first codes lie from rows, root of the mean square in each dimension."""
    codes = first_codes(rows, num)
    number = (codes[:, None] - rows[None]).abs().sum(2).argmin(1)
    return (codes - rows[number]).square().mean(0).sqrt()


def test_each_dimension_has_a_noise_of_its_own() -> None:
    torch.manual_seed(0)
    scale = torch.tensor([1.0, 1.0, 0.01, 2.0, 1.0, 1.0])
    rows = torch.randn(4000, 6) * scale + torch.tensor([0.0, 1000.0, 0.0, 0.0, 0.0, 0.0])
    noise = _noise_of(rows, 512) / scale
    # 1 % of the inner deviation, 0.66 of a normal one's, times the 0.577 of uniform noise on [-1, 1]
    assert noise.tolist() == pytest.approx([0.0066 * 0.577] * 6, rel=0.15)


def test_one_far_row_does_not_own_the_noise() -> None:
    torch.manual_seed(0)
    rows = torch.randn(512, 3)
    usual = _noise_of(rows, 512)
    rows[100] = 1e5
    torch.testing.assert_close(_noise_of(rows, 512), usual, rtol=0.05, atol=0)


_TWO_RANKS = """
    from ganvas.functional.codes import first_codes, spread_rows

    torch.manual_seed(0)
    rows, weight = torch.randn(24, 3), torch.randint(0, 50, (24,)).float()
    mine = slice(12 * rank, 12 * rank + 12)
    result = {
        "even": [spread_rows(rows[mine], 7, torch.tensor(key)) for key in range(5)],
        "weighted": [spread_rows(rows[mine], 7, torch.tensor(key), weight[mine]) for key in range(5)],
        "first": first_codes(rows[mine], 7),
    }
"""


def test_two_ranks_choose_as_one_process_does(two_ranks: Callable[[str], list[Any]]) -> None:
    torch.manual_seed(0)
    rows, weight = torch.randn(24, 3), torch.randint(0, 50, (24,)).float()
    for result in two_ranks(_TWO_RANKS):
        for key in range(5):
            assert torch.equal(result["even"][key], spread_rows(rows, 7, torch.tensor(key)))
            assert torch.equal(result["weighted"][key], spread_rows(rows, 7, torch.tensor(key), weight))
        torch.testing.assert_close(result["first"], first_codes(rows, 7))

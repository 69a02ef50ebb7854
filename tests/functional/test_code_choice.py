"""Chosen codes against sorting by Python, dense and sparse; swaps against a walk through the positions."""

from __future__ import annotations

import pytest
import torch

from ganvas.functional.code_choice import (
    alone,
    by_use,
    counts_of,
    first_by_index,
    spread,
    swap_levels,
    swap_positions,
)
from ganvas.functional.code_usage import counts_to_sum

COUNTS = [0, 3, 1, 0, 3, 7, 0, 1]


def both() -> list[torch.Tensor]:
    dense = torch.tensor(COUNTS, dtype=torch.float64)
    return [dense, dense.to_sparse()]


@pytest.mark.parametrize("most", [1, 3, 5, 6, 8, 100])
def test_the_most_used_come_first_and_the_unused_last(most: int) -> None:
    order = sorted(range(len(COUNTS)), key=lambda code: (-COUNTS[code], code))[:most]
    for counts in both():
        codes, number = by_use(counts, most)
        assert codes.dtype == number.dtype == torch.int64
        assert codes.tolist() == order
        assert number.tolist() == [COUNTS[code] for code in order]
        codes, number = first_by_index(counts, most)
        assert codes.tolist() == list(range(len(COUNTS)))[:most]
        assert number.tolist() == COUNTS[:most]


def test_codes_that_no_table_holds() -> None:
    size = 2**36
    counts = counts_to_sum(torch.tensor([2**35, *[1] * 4, 5]), size)
    counts = counts + counts_to_sum(torch.tensor([5, *[1] * 5, 2**35]), size)
    codes, number = by_use(counts, 6)
    assert codes.tolist() == [1, 5, 2**35, 0, 2, 3]
    assert number.tolist() == [9, 2, 2, 0, 0, 0]
    assert counts_of(counts, torch.tensor([2**36 - 1, 5, 0, 2**35])).tolist() == [0, 2, 0, 2]
    nothing = counts_to_sum(torch.zeros(0, dtype=torch.int64), size)
    assert counts_of(nothing, torch.tensor([3])).tolist() == [0]
    assert by_use(nothing, 2)[0].tolist() == [0, 1]


def test_a_spread_is_even_and_fixed() -> None:
    assert spread(5, 8).tolist() == [0, 1, 2, 3, 4]
    assert spread(10, 4).tolist() == [0, 2, 5, 7]
    apart = spread(2**36, 512).diff()
    assert apart.min() == apart.max() == 2**27
    assert spread(2**62 + 5, 3).tolist() == [i * (2**62 + 5) // 3 for i in range(3)]


def test_a_code_stands_alone_in_its_level() -> None:
    usual = torch.tensor([[[[4, 4]], [[5, 5]]]])  # [1, 2, 1, 2]
    found = alone(usual, 1, torch.tensor([7, 8, 9]))
    assert found.tolist() == [[[[4, 4]], [[code, code]]] for code in (7, 8, 9)]
    assert usual.tolist() == [[[[4, 4]], [[5, 5]]]]


def test_positions_are_swapped_row_by_row() -> None:
    own, other = torch.zeros(2, 2, 3, dtype=torch.int64), torch.arange(1, 13).view(2, 2, 3)
    found = swap_positions(own, other, 4)  # 0, 2, 4 and 6 of six positions
    assert found.shape == (4, 2, 2, 3)
    for step, taken in enumerate((0, 2, 4, 6)):
        for level in range(2):
            walked = [int(other[level].flatten()[i]) if i < taken else 0 for i in range(6)]
            assert found[step, level].flatten().tolist() == walked
    assert swap_positions(own, other, 2).tolist() == [own.tolist(), other.tolist()]


def test_levels_are_swapped_from_the_last_one() -> None:
    own, other = (torch.full((3, 2), 1),), (torch.full((3, 2), 2),)
    (found,) = swap_levels(own, other, 4, cut=lambda codes, k: (codes[0][:, :k],), num_cuts=3)
    assert found[:, :, 0].tolist() == [[1, 1, 1], [1, 1, 2], [1, 2, 2], [2, 2, 2]]
    assert torch.equal(found[..., 0], found[..., 1])
    # scales of which the first has one position and the second the other three
    own, other = (torch.full((1, 4), 1),), (torch.full((1, 4), 2),)
    (found,) = swap_levels(own, other, 3, cut=lambda codes, k: (codes[0][..., : (1, 4)[k - 1]],), num_cuts=2)
    assert found[:, 0].tolist() == [[1, 1, 1, 1], [1, 2, 2, 2], [2, 2, 2, 2]]
    # sizes apart
    own = (torch.full((1, 1), 1), torch.full((1, 4), 1))
    other = tuple(one + 1 for one in own)
    top, bottom = swap_levels(own, other, 3, cut=lambda codes, k: codes[:k], num_cuts=2)
    assert top.tolist() == [[[1]], [[1]], [[2]]]
    assert bottom.tolist() == [[[1] * 4], [[2] * 4], [[2] * 4]]

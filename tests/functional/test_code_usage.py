from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from ganvas.functional.code_usage import (
    LARGEST_TABLE,
    count_codes,
    count_present,
    counts_to_sum,
    of_all_levels,
    usage,
    usage_of_levels,
)


def test_count_codes() -> None:
    counts = count_codes(torch.tensor([[0, 3], [3, 1]]), 5)
    assert counts.tolist() == [1.0, 1.0, 0.0, 2.0, 0.0]
    assert counts.dtype == torch.float32


def test_usage_is_the_exponential_of_the_entropy() -> None:
    metrics = usage(torch.tensor([1.0, 3.0, 0.0]))
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert metrics["perplexity"].item() == pytest.approx(math.exp(entropy), rel=1e-6)
    assert metrics["codes_used"].item() == 2
    assert usage(torch.full((7,), 4.0))["perplexity"].item() == pytest.approx(7, rel=1e-6)


def test_a_weight_of_zero_leaves_an_index_out() -> None:
    indices, weight = torch.tensor([0, 3, 3, 1, 3]), torch.tensor([1.0, 0, 1, 0, 1])
    assert count_codes(indices, 5, weight).tolist() == [1.0, 0.0, 0.0, 2.0, 0.0]
    assert sorted(count_present(indices, weight).tolist()) == [0.0, 0.0, 0.0, 1.0, 2.0]


def test_what_no_table_can_hold_is_counted_by_what_is_there() -> None:
    indices = torch.tensor([2**40, 5, 2**61 + 3, 5, 5, 2**40])
    assert sorted(count_present(indices).tolist()) == [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]
    assert count_present(indices[:0]).shape == (0,)
    found, expected = usage(count_present(indices)), usage(torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(found, expected)


def test_counts_of_parts_add_up() -> None:
    for size in (7, LARGEST_TABLE + 1, 2**62):
        parts = [torch.tensor([[size - 1, 3, 3]]), torch.tensor([3, 0])]
        total = counts_to_sum(parts[0], size) + counts_to_sum(parts[1], size)
        assert total.shape == (size,)
        assert total.is_sparse == (size > LARGEST_TABLE)
        torch.testing.assert_close(usage(total), usage(torch.tensor([1.0, 1.0, 3.0], dtype=torch.float64)))


def test_each_level_and_their_mean() -> None:
    indices = torch.tensor([[0, 2**50], [1, 2**50], [2, 2**50], [3, 7]])
    each = usage_of_levels(indices, (4, 2**60), over_ranks=False)
    assert each[0]["perplexity"].item() == pytest.approx(4, rel=1e-6)
    second = math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert each[1]["perplexity"].item() == pytest.approx(second, rel=1e-6)
    together = of_all_levels(each)
    assert together["perplexity"].item() == pytest.approx((4 + second) / 2, rel=1e-6)
    assert together["codes_used"].item() == 3
    assert (together["codes_used_level_1"].item(), together["codes_used_level_2"].item()) == (4, 2)
    assert of_all_levels(each[:1]) == each[0]


_TWO_RANKS = """
    from ganvas.functional.code_usage import usage_of_levels

    indices = torch.tensor([[0, 2**50], [1, 2**50], [2, 2**50], [3, 7]])[2 * rank : 2 * rank + 2]
    weight = torch.tensor([1.0, 1.0, 0.0, 1.0])[2 * rank : 2 * rank + 2]
    result = usage_of_levels(indices, (4, 2**60), weight=weight, over_ranks=True)
"""


def test_two_ranks_count_what_one_does(two_ranks: Callable[[str], list[Any]]) -> None:
    indices = torch.tensor([[0, 2**50], [1, 2**50], [2, 2**50], [3, 7]])
    weight = torch.tensor([1.0, 1.0, 0.0, 1.0])
    expected = usage_of_levels(indices, (4, 2**60), weight=weight, over_ranks=False)
    for result in two_ranks(_TWO_RANKS):
        torch.testing.assert_close(result, expected)

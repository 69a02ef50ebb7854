from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ganvas.functional import distributed


def test_a_single_process_is_the_identity() -> None:
    value = torch.tensor([1.0, 2.0], requires_grad=True)
    total = distributed.sum_over_ranks(value)
    assert torch.equal(total, value)
    assert not total.requires_grad
    assert torch.equal(distributed.all_rows(value), value)
    kept = torch.tensor([3.0])
    distributed.mean_over_ranks_([kept])
    assert kept.item() == 3.0
    assert (distributed.rank(), distributed.world_size(), distributed.is_distributed()) == (0, 1, False)


def test_two_ranks(two_ranks: Callable[[str], list[Any]]) -> None:
    results = two_ranks("""
        from ganvas.functional import distributed

        value = torch.tensor([[1.0, 2.0], [3.0, 5.0]])[rank]
        total = distributed.sum_over_ranks(value)
        means = [value.clone(), torch.full((2, 1), rank, dtype=torch.float64), 10 * value[:1].clone()]
        distributed.mean_over_ranks_(means)
        rows = distributed.all_rows(torch.tensor([[rank, 7], [rank, 8]]))
        result = {
            "value": value, "total": total, "means": means, "rows": rows,
            "place": [distributed.rank(), distributed.world_size(), distributed.is_distributed()],
        }
    """)
    for rank, result in enumerate(results):
        assert result["value"].tolist() == [[1.0, 2.0], [3.0, 5.0]][rank]  # left alone
        assert result["total"].tolist() == [4.0, 7.0]
        assert [mean.tolist() for mean in result["means"]] == [[2.0, 3.5], [[0.5], [0.5]], [20.0]]
        assert result["rows"].tolist() == [[0, 7], [0, 8], [1, 7], [1, 8]]
        assert result["place"] == [rank, 2, True]

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
    assert torch.equal(distributed.rows_of_ranks(value), value[None])
    assert distributed.joint_rows(value) is value
    assert distributed.mean_of_global_batch(value) is value
    kept = torch.tensor([3.0])
    distributed.same_on_all_ranks_([kept])
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
        leaf = torch.tensor([2.0, 3.0][rank], requires_grad=True)
        joint = distributed.rows_of_ranks(leaf)
        # rank r's loss is (r + 1) x0^3 x1^2
        (slope,) = torch.autograd.grad((rank + 1) * joint[0] ** 3 * joint[1] ** 2, leaf, create_graph=True)
        (curvature,) = torch.autograd.grad(slope.square(), leaf)
        own = torch.tensor([[2.0], [3.0]][rank], requires_grad=True)
        product = distributed.joint_rows(own).prod()  # 2 * 3 on both
        shared = distributed.mean_of_global_batch(product.square())
        (of_own,) = torch.autograd.grad(shared, own)
        first = [torch.tensor([1.0 + rank]), torch.full((2, 2), 5 + rank)]
        distributed.same_on_all_ranks_(first)
        result = {
            "value": value, "total": total, "means": means, "rows": rows,
            "shared": shared.detach(), "of_own": of_own,
            "joint": joint.detach(), "slope": slope.detach(), "curvature": curvature, "first": first,
            "place": [distributed.rank(), distributed.world_size(), distributed.is_distributed()],
        }
    """)
    for rank, result in enumerate(results):
        assert result["value"].tolist() == [[1.0, 2.0], [3.0, 5.0]][rank]  # left alone
        assert result["total"].tolist() == [4.0, 7.0]
        assert [mean.tolist() for mean in result["means"]] == [[2.0, 3.5], [[0.5], [0.5]], [20.0]]
        assert result["rows"].tolist() == [[0, 7], [0, 8], [1, 7], [1, 8]]
        assert result["place"] == [rank, 2, True]
        # f = 3 x^3 y^2 is the ranks' losses together; a rank has its own variable's derivatives of them, and
        # differentiates the sum of the ranks' squared slopes: (9 x^2 y^2)^2 + (6 x^3 y)^2
        x, y = 2.0, 3.0
        assert result["joint"].tolist() == [x, y]
        assert result["slope"].item() == [9 * x**2 * y**2, 6 * x**3 * y][rank]
        by_x = 4 * 81 * x**3 * y**4 + 6 * 36 * x**5 * y**2
        by_y = 4 * 81 * x**4 * y**3 + 2 * 36 * x**6 * y
        assert result["curvature"].item() == [by_x, by_y][rank]
        assert result["shared"].item() == 36.0
        assert result["of_own"].tolist() == [2 * 2 * 6.0 * [3.0, 2.0][rank]]  # twice that of (2 * 3)^2
        assert [tensor.unique().tolist() for tensor in result["first"]] == [[1.0], [5]]

from __future__ import annotations

import pytest
import torch

from ganvas.functional.codes import grid_of, rows_of


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 5), (2, 3, 4, 5)])
def test_rows_and_grid_undo_each_other(shape: tuple[int, ...]) -> None:
    grid = torch.randn(shape)
    rows = rows_of(grid)
    assert rows.shape == (grid[:, 0].numel(), 3)
    assert torch.equal(grid_of(rows, (shape[0], *shape[2:])), grid)


def test_a_row_is_the_vector_of_one_place() -> None:
    grid = torch.randn(2, 3, 4, 5)
    assert torch.equal(rows_of(grid)[1 * 20 + 2 * 5 + 3], grid[1, :, 2, 3])

"""Between grids of vectors [B, D, *positions] and plain rows [N, D]."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def rows_of(grid: Tensor) -> Tensor:
    """[B, D, *positions] to [B * positions, D], in the order of the grid's indices [B, *positions]."""
    return grid.movedim(1, -1).reshape(-1, grid.shape[1])


def grid_of(rows: Tensor, shape: Sequence[int]) -> Tensor:
    """[N, D] to [B, D, *positions], where ``shape`` is that of the indices, [B, *positions]."""
    return rows.view(*shape, rows.shape[1]).movedim(-1, 1)

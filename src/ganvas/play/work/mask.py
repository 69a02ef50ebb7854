"""Masks that are drawn on a grid of cells, as codes that are given."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganvas.functional.code_layout import CodeLayout
from ganvas.functional.code_places import ENDS, half
from ganvas.play.work.codes import Cell, sides


def coarsest(layout: CodeLayout) -> tuple[int, int]:
    """Rows and columns of the map with the fewest positions."""
    return min((sides(at) for at in layout.positions), key=lambda one: one[0] * one[1])


def known_of(layout: CodeLayout, cells: Tensor) -> Tensor:
    """bool [N]: the codes whose centres lie in cells that are given, of a mask bool [rows, columns]."""
    found = []
    for sizes, at in zip(layout.sizes, layout.positions, strict=True):
        own = interpolate(cells[None, None].float(), sides(at), mode="nearest-exact")[0, 0] > 0.5
        found.append(own.flatten().repeat_interleave(len(sizes)))
    return torch.cat(found)


def first_codes(layout: CodeLayout, count: int) -> Tensor:
    """bool [N]: the first ``count`` codes in the order in which a prior goes through them."""
    return torch.arange(layout.length) < count


def until(cells: Tensor, cell: Cell) -> Tensor:
    """bool [rows, columns]: the cells until one, row by row; without it where they end there already."""
    rows, columns = cells.shape
    count = cell[0] * columns + cell[1] + 1
    if int(cells.sum()) == count:
        count -= 1
    return (torch.arange(rows * columns) < count).view(rows, columns)


def half_of_cells(rows: int, columns: int, which: str) -> Tensor:
    """bool [rows, columns]: the cells of a half, as :func:`ganvas.functional.code_places.half` has it."""
    at = (columns,) if which in ENDS else (rows, columns)
    return half(CodeLayout(((2,),), (at,)), which).view(rows, columns)

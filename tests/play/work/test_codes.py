"""Levels of every kind of codes, painted and swapped cell by cell."""

from __future__ import annotations

import pytest
import torch

from ganvas.functional.code_layout import CodeLayout
from ganvas.play.work.codes import (
    Maps,
    Region,
    cells_of,
    levels_of,
    most_used,
    moved,
    paint,
    swap,
)

PYRAMID = CodeLayout(((3, 6), (4,), (5,)), ((1, 2), (2, 2), (3, 4)))
ROW = CodeLayout(((4, 6),), ((5,),))


def maps_of(layout: CodeLayout, seed: int) -> Maps:
    draws = torch.Generator().manual_seed(seed)
    made = (torch.rand(1, layout.length, generator=draws) * layout.element_sizes()).long()
    found = layout.unflatten(made)
    return tuple(one[0] for one in ((found,) if isinstance(found, torch.Tensor) else found))


def test_levels_count_through_all_maps() -> None:
    found = [(one.number, one.map, one.within, one.size, one.rows, one.columns) for one in levels_of(PYRAMID)]
    assert found == [(1, 0, 0, 3, 1, 2), (2, 0, 1, 6, 1, 2), (3, 1, 0, 4, 2, 2), (4, 2, 0, 5, 3, 4)]
    assert [(one.rows, one.columns, one.is_grid) for one in levels_of(ROW)] == [(1, 5, False)] * 2
    (alone,) = levels_of(CodeLayout(((7,),), ((),)))
    assert (alone.rows, alone.columns) == (1, 1)
    told = [levels_of(PYRAMID)[3].told, levels_of(ROW)[1].told, alone.told]
    assert told == [
        "level 4: 3 x 4 codes of 5",
        "level 2: a row of 5 codes of 6",
        "level 1: one code of 7",
    ]


@pytest.mark.parametrize("layout", [PYRAMID, ROW])
def test_painting_changes_those_cells_of_that_level_alone(layout: CodeLayout) -> None:
    maps = maps_of(layout, 1)
    before = [one.clone() for one in maps]
    level = levels_of(layout)[1]
    cell = (level.rows - 1, 1)
    new = (int(cells_of(maps, level)[cell]) + 1) % level.size
    painted = paint(maps, level, [cell], new)
    assert all(torch.equal(one, old) for one, old in zip(maps, before, strict=True))
    assert int(cells_of(painted, level)[cell]) == new
    assert moved(maps, painted, level) == 1
    assert sum(int((a != b).sum()) for a, b in zip(maps, painted, strict=True)) == 1
    with pytest.raises(ValueError, match="must be from 0 to 5"):
        paint(maps, level, [cell], 6)
    with pytest.raises(ValueError, match="cell"):
        paint(maps, level, [(level.rows, 0)], 0)


def test_a_region_swaps_the_positions_whose_centres_lie_inside() -> None:
    one, other = maps_of(PYRAMID, 1), tuple(x + 100 for x in maps_of(PYRAMID, 2))
    finest = levels_of(PYRAMID)[3]
    region = Region.between(finest, (2, 1), (0, 0))  # the left half, from any two corners
    a, b = swap(one, other, region)
    for number in range(3):
        left = torch.zeros_like(one[number], dtype=torch.bool)
        left[..., : left.shape[-1] // 2] = True
        assert torch.equal(a[number] >= 100, left)
        assert torch.equal(a[number] + b[number], one[number] + other[number])
    level = levels_of(PYRAMID)[1]
    a, _ = swap(one, other, region, level=level)
    assert [int((x >= 100).sum()) for x in a] == [1, 0, 0]
    assert int(a[0][1, 0, 0]) >= 100
    whole = Region.between(finest, (0, 0), (2, 3))
    assert all(torch.equal(x, y) for x, y in zip(swap(one, other, whole)[0], other, strict=True))


def test_most_used_codes_come_first_then_the_lower_index() -> None:
    level = levels_of(CodeLayout(((9,),), ((2, 3),)))[0]
    maps = (torch.tensor([[[7, 2, 7], [5, 2, 0]]]),)
    assert most_used(maps, level, 3) == [(2, 2), (7, 2), (0, 1)]

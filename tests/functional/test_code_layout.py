"""Codes as a sequence: order, sizes, places and the way back."""

from __future__ import annotations

import pytest
import torch

from ganvas.functional.code_layout import CodeLayout

GRID = CodeLayout(sizes=((7,),), positions=((2, 3),))
RESIDUAL = CodeLayout(sizes=((5, 9),), positions=((2, 2),))
PYRAMID = CodeLayout(sizes=((4,), (6,)), positions=((1, 2), (2, 4)))
ROW = CodeLayout(sizes=((3, 3),), positions=((4,),))


def test_residual_codes_go_position_by_position_the_first_level_first() -> None:
    maps = torch.arange(8).view(1, 2, 2, 2)  # level 0: 0..3, level 1: 4..7
    assert RESIDUAL.flatten(maps).tolist() == [[0, 4, 1, 5, 2, 6, 3, 7]]
    assert RESIDUAL.element_sizes().tolist() == [5, 9] * 4
    assert RESIDUAL.element_levels().tolist() == [0, 1] * 4
    assert RESIDUAL.length == 8
    assert RESIDUAL.vocabulary == 9
    assert RESIDUAL.num_levels == 2


def test_a_pyramid_goes_map_by_map_and_its_levels_count_on() -> None:
    top, bottom = torch.arange(2).view(1, 1, 1, 2), 10 + torch.arange(8).view(1, 1, 2, 4)
    assert PYRAMID.flatten((top, bottom)).tolist() == [[0, 1, *range(10, 18)]]
    assert PYRAMID.element_levels().tolist() == [0] * 2 + [1] * 8
    assert PYRAMID.element_maps().tolist() == [0] * 2 + [1] * 8
    # a coarse centre lies amid the four fine ones that it covers
    assert PYRAMID.coordinates()[:2].tolist() == [[0.5, 0.5], [0.5, 2.5]]
    assert PYRAMID.coordinates()[2:].tolist() == [[r, c] for r in (0.0, 1.0) for c in (0.0, 1.0, 2.0, 3.0)]
    assert PYRAMID.bits == 2 * 2 + 8 * torch.log2(torch.tensor(6.0, dtype=torch.float64)).item()


@pytest.mark.parametrize("layout", [GRID, RESIDUAL, PYRAMID, ROW], ids=["grid", "residual", "pyramid", "row"])
def test_round_trips(layout: CodeLayout) -> None:
    torch.manual_seed(0)
    codes = (torch.rand(3, layout.length) * layout.element_sizes()).long()
    layout.require_codes(codes)
    maps = layout.unflatten(codes)
    assert torch.equal(layout.flatten(maps), codes)
    sizes = [size for own in layout.sizes for size in own]
    assert CodeLayout.of(maps, sizes) == layout
    assert CodeLayout.from_plain(layout.to_plain()) == layout
    assert len(layout.coordinates()) == layout.length


def test_what_is_no_layout_or_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 codes"):
        CodeLayout(sizes=((1,),), positions=((2, 2),))
    with pytest.raises(ValueError, match="equally many"):
        CodeLayout(sizes=((4,),), positions=())
    with pytest.raises(ValueError, match="must be \\[\\(1, 2, 3\\)\\]"):
        GRID.flatten(torch.zeros(1, 1, 3, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="hold 7"):
        GRID.require_codes(torch.tensor([[0, 1, 2, 7, 3, 4]]))
    with pytest.raises(ValueError, match="hold 5"):  # in range of the second level alone
        RESIDUAL.require_codes(torch.tensor([[5, 8, 1, 1, 1, 1, 1, 1]]))
    for plain in ({}, [], {"sizes": [[4]], "positions": [["x"]]}, {"sizes": 3, "positions": 4}):
        with pytest.raises(ValueError, match="layout"):
            CodeLayout.from_plain(plain)

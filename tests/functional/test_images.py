from __future__ import annotations

import torch

from ganvas.functional.images import enlarge, grid, grid_size, to_float, to_uint8


def test_all_levels_map_evenly_onto_minus_one_to_one():
    levels = torch.arange(256, dtype=torch.uint8)
    x = to_float(levels)
    assert x.dtype == torch.float32
    assert (x[0], x[255]) == (-1, 1)
    torch.testing.assert_close(x.double(), torch.linspace(-1, 1, 256, dtype=torch.float64), atol=1e-7, rtol=0)
    assert torch.equal(to_uint8(x), levels)


def test_to_uint8_rounds_to_the_nearest_and_clamps():
    x = torch.tensor([-1.5, -1 + 0.49 / 127.5, -1 + 0.51 / 127.5, 0.999999, 1.0, 2.0])
    assert to_uint8(x).tolist() == [0, 0, 1, 255, 255, 255]


def test_the_input_is_left_alone():
    x, levels = torch.tensor([0.3]), torch.tensor([7], dtype=torch.uint8)
    to_uint8(x)
    to_float(levels)
    assert (x.item(), levels.item()) == (torch.tensor(0.3).item(), 7)


def test_floats_are_samples_already():
    x = torch.tensor([-1.0, 0.25, 200.0], dtype=torch.float64)
    assert to_float(x) is x


def test_enlarged_pixels_are_squares():
    x = torch.tensor([[[1, 2], [3, 4]]], dtype=torch.uint8)
    assert enlarge(x, 2).tolist() == [[[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]]


def test_a_grid_is_as_large_as_its_size_says():
    x = torch.zeros(5, 1, 3, 40, dtype=torch.uint8)
    for columns in (1, 2, 9):
        for factor in (None, 1, 4):
            size = grid_size(3, 40, count=5, columns=columns, factor=factor)
            assert grid(x, columns, factor).shape[1:] == size
    assert grid_size(3, 40, count=5, columns=2, factor=4) == (3 * 14 + 2, 2 * 162 + 2)

from __future__ import annotations

import torch
from torch.nn.functional import grid_sample

from ganvas.model.augment.resampling import spread


def test_values_go_back_to_the_pixels_that_they_were_read_from() -> None:
    draw = torch.Generator().manual_seed(1)
    grid = torch.rand(2, 4, 3, 2, generator=draw, dtype=torch.float64) * 2 - 1
    grid[0, 0, :, 0], grid[1, :, 1, 1] = 1.0, -1.0  # the last column and the first row exactly
    x = torch.randn(2, 3, 5, 7, generator=draw, dtype=torch.float64)
    values = torch.randn(2, 3, 4, 3, generator=draw, dtype=torch.float64)
    expected = (grid_sample(x, grid, align_corners=True) * values).sum((1, 2, 3))
    for in_order in (None, False, True):
        back = spread(values, grid, 5, 7, in_order=in_order)
        assert back.shape == x.shape
        torch.testing.assert_close((back * x).sum((1, 2, 3)), expected)
    torch.testing.assert_close(spread(values, grid, 5, 7, in_order=True), spread(values, grid, 5, 7))

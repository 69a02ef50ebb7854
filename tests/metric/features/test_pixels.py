from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.metric.features.pixels import Pixels


def test_blocks_are_averaged() -> None:
    x = torch.rand(2, 3, 8, 4) * 2 - 1
    made = Pixels(size=4)(x).features
    expected = x.reshape(2, 3, 4, 2, 4).mean(3).flatten(1)  # only the height is above 4
    torch.testing.assert_close(made, expected)


def test_small_images_and_points_are_left_alone() -> None:
    x, points = torch.rand(2, 1, 8, 8), torch.rand(5, 2)
    assert torch.equal(Pixels(size=8)(x).features, x.flatten(1))
    assert torch.equal(Pixels(size=1)(points).features, points)


def test_the_protocol_names_the_size() -> None:
    protocol = Pixels(size=5).protocol
    assert (protocol["name"], protocol["resizer"], protocol["size"]) == (
        "pixels",
        "area average, not enlarged",
        5,
    )


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(OptionError, match="size=0"):
        Pixels(size=0)

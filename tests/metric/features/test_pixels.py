from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.functional.batch import DataFacts
from ganvas.metric.features.pixels import Pixels
from ganvas.modality.sound import Sound


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


def test_other_samples_are_taken_as_their_modality_says() -> None:
    kind, pixels = Sound(8000, 2), Pixels(size=8)
    usual = pixels.protocol
    pixels.check(DataFacts([2, 8000], None, "", "Sounds", modality=kind))
    x = torch.rand(3, 2, 8000, generator=torch.Generator().manual_seed(1)) - 0.5
    assert torch.equal(pixels(x).features, kind.summary(x, 8))
    assert pixels(x).features.shape == (3, 128)
    assert pixels.protocol == kind.summary_protocol([2, 8000], 8) != usual
    for shape in ([1, 8, 8], [2]):
        pixels.check(DataFacts(shape, None, "", "Data"))
        assert pixels.protocol == usual


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(OptionError, match="size=0"):
        Pixels(size=0)

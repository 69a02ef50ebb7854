from __future__ import annotations

import math

import torch
from torch import Tensor

from ganvas.model.augment.colour import Colour

GREY = torch.ones(3, dtype=torch.float64) / math.sqrt(3)  # the grey axis' unit vector


def colours(batch: int) -> Colour:
    draw = torch.Generator().manual_seed(3)
    numbers = torch.randn(5, batch, generator=draw, dtype=torch.float64)
    return Colour(
        brightness=0.2 * numbers[0],
        contrast=torch.exp2(0.5 * numbers[1]),
        luma_flip=torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(batch)[:batch],
        hue=numbers[3],
        saturation=torch.exp2(numbers[4]),
    )


def one_by_one(x: Tensor, change: Colour, i: int) -> Tensor:
    """Pixels [3, N] of sample i, changed by one 3x3 matrix after the other."""
    eye = torch.eye(3, dtype=torch.float64)
    x = (x + change.brightness[i]) * change.contrast[i]
    if change.luma_flip[i] < 0:  # Householder
        x = (eye - 2 * torch.outer(GREY, GREY)) @ x
    cross = torch.stack([torch.linalg.cross(GREY, axis) for axis in eye], dim=1)
    x = torch.linalg.matrix_exp(change.hue[i] * cross) @ x
    grey = torch.outer(GREY, GREY) @ x
    return grey + change.saturation[i] * (x - grey)


def test_one_formula_is_all_five_changes() -> None:
    x = torch.randn(6, 3, 2, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    change = colours(6)
    expected = [one_by_one(x[i].flatten(1), change, i).view(3, 2, 5) for i in range(6)]
    torch.testing.assert_close(change(x), torch.stack(expected))


def test_grey_images_change_as_colour_images_of_three_equal_channels() -> None:
    x = torch.randn(6, 1, 4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    change = colours(6)
    torch.testing.assert_close(change(x).expand(-1, 3, -1, -1), change(x.expand(-1, 3, -1, -1)))


def test_single_changes() -> None:
    one, zero = torch.ones(1), torch.zeros(1)
    x = torch.tensor([0.5, -0.25, 0.125]).view(1, 3, 1, 1)
    nothing = Colour(zero, one, one, zero, one)
    assert torch.equal(nothing(x), x)
    third = torch.tensor([2 * math.pi / 3])
    for change, expected in (
        (nothing._replace(brightness=torch.tensor([0.25])), [0.75, 0.0, 0.375]),
        (nothing._replace(contrast=torch.tensor([2.0])), [1.0, -0.5, 0.25]),
        (nothing._replace(luma_flip=-one), [0.25, -0.5, -0.125]),  # x - 2 mean
        (nothing._replace(hue=third), [0.125, 0.5, -0.25]),  # red to green
        (nothing._replace(saturation=zero), [0.125, 0.125, 0.125]),
        (nothing._replace(saturation=torch.tensor([2.0])), [0.875, -0.625, 0.125]),
    ):
        torch.testing.assert_close(change(x).flatten(), torch.tensor(expected))

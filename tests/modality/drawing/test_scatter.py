"""Dots and lines where they belong."""

from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.modality.drawing.scatter import Layer, require_points, scatter


def test_layers_lie_over_each_other_and_over_paths() -> None:
    here = torch.tensor([[0.25, -0.5]])
    way = Layer(torch.tensor([[-1.0, -0.5], [1.0, -0.5]]), (1, 2, 3))
    lower, upper = Layer(here, (9, 9, 9), radius=6), Layer(here, (200, 0, 0), radius=2)
    image = scatter([lower, upper], paths=[way])
    column, row = round((0.25 / 1.25 + 1) * 255.5), round((0.5 / 1.25 + 1) * 255.5)
    assert image[:, row, column].tolist() == [200, 0, 0]
    assert image[:, row, column + 4].tolist() == [9, 9, 9]
    assert image[:, row, column + 30].tolist() == [1, 2, 3]
    assert image[:, row + 30, column].tolist() == [255, 255, 255]


def test_each_dot_has_its_colour_also_where_one_is_not_finite() -> None:
    points = torch.tensor([[-0.5, 0.0], [float("nan"), 0.0], [9.0, 0.0]])
    colours = torch.tensor([[1, 1, 1], [2, 2, 2], [3, 3, 3]], dtype=torch.uint8)
    image = scatter([Layer(points, colours, radius=3)])
    assert image[:, 255, round((-0.5 / 1.25 + 1) * 255.5)].tolist() == [1, 1, 1]
    assert image[:, 255, 511].tolist() == [3, 3, 3]  # outside: on the edge
    assert not (image == 2).any()


def test_a_path_without_finite_points_is_none() -> None:
    empty = Layer(torch.full((2, 2), float("nan")), (0, 0, 0))
    assert (scatter([empty], paths=[empty]) == 255).all()


def test_other_shapes_are_refused() -> None:
    require_points(torch.zeros(4, 2), "")
    with pytest.raises(OptionError, match=r"data=\[3\]: only images .*; do without"):
        require_points(torch.zeros(4, 3), "do without")

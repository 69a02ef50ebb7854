"""Colours of codes: fixed, and apart."""

from __future__ import annotations

import pytest
import torch
from scipy.spatial import KDTree

from ganvas.functional.colours import code_colours


def least_distance(num_codes: int) -> float:
    colours = code_colours(torch.arange(num_codes), num_codes).numpy().astype(float)
    return float(KDTree(colours).query(colours, k=2)[0][:, 1].min())


@pytest.mark.parametrize(
    ("num_codes", "least"),
    [(1, 0), (2, 360), (8, 255), (9, 127), (27, 127), (512, 36), (1000, 28), (4096, 17), (65_536, 6)],
)
def test_any_two_codes_differ(num_codes: int, least: int) -> None:
    if num_codes == 1:
        assert code_colours(torch.tensor([0]), 1).tolist() == [[0, 0, 0]]
        return
    assert least <= least_distance(num_codes) <= least + 1


def test_two_codes_far_down_a_long_list_differ() -> None:
    indices = torch.arange(2**24 - 5000, 2**24)
    colours = code_colours(indices, 2**24).long()
    assert len(colours.unique(dim=0)) == 5000
    assert code_colours(torch.tensor([2**40 + 3]), 2**50).shape == (1, 3)


def test_the_map_is_fixed() -> None:
    eight = [(0, 0, 0), (255, 0, 255), (0, 255, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), (255, 255, 0)]
    assert [tuple(colour) for colour in code_colours(torch.arange(8), 8).tolist()] == [*eight, (0, 255, 255)]
    assert code_colours(torch.tensor([[77, 500], [3, 4095]]), 4096).tolist() == [
        [code_colours(torch.tensor(i), 4096).tolist() for i in row] for row in ((77, 500), (3, 4095))
    ]


@pytest.mark.parametrize("num_codes", [64, 512, 4096])
def test_neighbours_in_number_are_far_apart(num_codes: int) -> None:
    colours = code_colours(torch.arange(num_codes), num_codes).double()
    assert float((colours[1:] - colours[:-1]).norm(dim=1).min()) > 80

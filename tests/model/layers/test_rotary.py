from __future__ import annotations

import math

import torch

from ganvas.functional.code_layout import CodeLayout
from ganvas.model.layers.rotary import turn, turns


def test_products_know_differences_of_places_alone() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 16, dtype=torch.float64)
    places = torch.tensor([[0.0, 0.0], [2.0, 5.0], [1.5, 3.0], [3.5, 8.0], [1.5, 4.0]])
    angles = turns(places, 16).double()

    def product(of: int, at: int) -> float:
        cos, sin = angles.cos(), angles.sin()
        return float(turn(query, cos[of], sin[of]) @ turn(key, cos[at], sin[at]))

    assert math.isclose(product(0, 2), product(1, 3), abs_tol=1e-6)
    assert not math.isclose(product(0, 2), product(0, 4), abs_tol=1e-3), "another column"
    assert not math.isclose(product(0, 2), product(2, 0), abs_tol=1e-3), "the other way"
    assert math.isclose(product(3, 3), float(query @ key), abs_tol=1e-6)


def test_rows_have_half_of_the_dimensions() -> None:
    angles = turns(torch.tensor([[3.0, 0.0], [0.0, 3.0]]), 16)  # [2, 8]
    rates = [100 ** (-k / 4) * 3 for k in range(4)]
    torch.testing.assert_close(angles, torch.tensor([rates + [0] * 4, [0] * 4 + rates]))


def test_a_long_row_does_not_come_round() -> None:
    """The slowest pair tells any two of 4,096 places apart."""
    slowest = turns(CodeLayout(((2,),), ((4096,),)).coordinates(), 64)[:, -1]
    assert slowest.max() < 2 * math.pi
    assert (slowest.diff() > 0).all()

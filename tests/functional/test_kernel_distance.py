"""The kernel distance on numbers small enough to write out (its metric's tests hold the rest)."""

from __future__ import annotations

import pytest
import torch

from ganvas.functional.kernel_distance import kernel_distance


def test_numbers_written_out() -> None:
    """One feature: k(x, y) = (x y + 1)^3."""
    x, y = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[1.0], [-1.0], [0.0], [3.0]])
    within_x = (1 + 1 + 27) / 3  # pairs 01, 02, 12
    within_y = (0 + 1 + 64 + 1 - 8 + 1) / 6  # pairs 1 -1, 1 0, 1 3, -1 0, -1 3, 0 3
    across = (4 + (8 + 0 + 1 + 64) + (27 - 1 + 1 + 343)) / 12
    value, error = kernel_distance(features_1=x, features_2=y)
    assert value.item() == pytest.approx(within_x + within_y - 2 * across, rel=1e-12)
    assert error.item() > 0
    assert kernel_distance(features_1=y, features_2=x)[0].item() == pytest.approx(value.item(), rel=1e-12)

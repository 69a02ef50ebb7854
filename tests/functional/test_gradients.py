from __future__ import annotations

import torch

from ganvas.functional.gradients import input_gradient, mean_squared_gradient


def test_input_gradient_of_a_quadratic_form() -> None:
    torch.manual_seed(0)
    half = torch.randn(6, 6)
    matrix = (half + half.T).requires_grad_(True)
    x = torch.randn(4, 2, 3)

    def value(samples: torch.Tensor) -> torch.Tensor:
        flat = samples.flatten(1)
        return (flat @ matrix * flat).sum(1) / 2

    expected = x.flatten(1) @ matrix  # d (x'Ax / 2) = Ax
    torch.testing.assert_close(input_gradient(value, x), expected)
    penalty = mean_squared_gradient(value, x)
    torch.testing.assert_close(penalty, expected.square().sum(1).mean())
    penalty.backward()
    assert matrix.grad is not None
    assert matrix.grad.abs().sum() > 0
    assert not x.requires_grad

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.functional.random import Draws
from ganvas.model.gradient_penalty.r1_r2 import R1R2

DRAWS = Draws(seed=0, step=0)


@pytest.mark.parametrize("interval", [1, 3])
def test_it_is_the_sum_of_both(interval: int) -> None:
    torch.manual_seed(0)
    half = torch.randn(6, 6)
    matrix = half + half.T

    def discriminator(x: Tensor) -> Tensor:
        return (x @ matrix * x).sum(1) / 2

    real, fake = torch.randn(5, 6), 3 * torch.randn(4, 6)
    penalty = R1R2(gamma=0.7, interval=interval)
    squares = (real @ matrix).square().sum(1).mean() + (fake @ matrix).square().sum(1).mean()
    torch.testing.assert_close(
        penalty(discriminator, real=real, fake=fake, draws=DRAWS), interval * 0.35 * squares
    )
    assert penalty.interval == interval


def test_a_linear_discriminators_gradient() -> None:
    weight = torch.tensor([0.5, -2.0, 1.0], requires_grad=True)
    R1R2(gamma=0.7)(
        lambda x: x @ weight, real=torch.randn(2, 3), fake=torch.randn(2, 3), draws=DRAWS
    ).backward()
    torch.testing.assert_close(weight.grad, 2 * 0.7 * weight.detach())


@pytest.mark.parametrize(("option", "value"), [("gamma", 0.0), ("interval", 0)])
def test_options_are_checked(option: str, value: float) -> None:
    with pytest.raises(OptionError) as error:
        R1R2(**{option: value})
    assert error.value.option == option

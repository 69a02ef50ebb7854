from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.functional.random import Draws
from ganvas.model.gradient_penalty.r2 import R2

DRAWS = Draws(seed=0, step=0)


def test_a_linear_discriminator() -> None:
    torch.manual_seed(0)
    weight = torch.randn(2, 3, 4, requires_grad=True)

    def discriminator(x: Tensor) -> Tensor:
        return (x * weight).flatten(1).sum(1)

    real, fake = torch.randn(5, 2, 3, 4), torch.randn(5, 2, 3, 4)
    penalty = R2(gamma=0.7)(discriminator, real=real, fake=fake, draws=DRAWS)
    torch.testing.assert_close(penalty, 0.35 * weight.square().sum())
    penalty.backward()
    torch.testing.assert_close(weight.grad, 0.7 * weight.detach())


def test_a_quadratic_discriminator_tells_real_from_fake() -> None:
    torch.manual_seed(0)
    half = torch.randn(6, 6)
    matrix = half + half.T

    def discriminator(x: Tensor) -> Tensor:
        return (x @ matrix * x).sum(1) / 2

    fake, real = torch.randn(5, 6), 3 * torch.randn(5, 6)
    penalty = R2(gamma=0.7)(discriminator, real=real, fake=fake, draws=DRAWS)
    torch.testing.assert_close(penalty, 0.35 * (fake @ matrix).square().sum(1).mean())


def test_lazy_steps_keep_the_mean_strength() -> None:
    torch.manual_seed(0)
    weight = torch.randn(6, requires_grad=True)
    samples = {"real": torch.randn(5, 6), "fake": torch.randn(5, 6)}
    gradients = []
    for interval in (1, 4):
        penalty = R2(gamma=0.7, interval=interval)
        assert penalty.interval == interval
        value = penalty(lambda x: torch.tanh(x @ weight), **samples, draws=DRAWS)
        gradients.append(torch.autograd.grad(value, weight)[0])
    torch.testing.assert_close(4 * gradients[0], gradients[1])


@pytest.mark.parametrize(("option", "value"), [("gamma", 0.0), ("gamma", -1.0), ("interval", 0)])
def test_options_are_checked(option: str, value: float) -> None:
    with pytest.raises(OptionError) as error:
        R2(**{option: value})
    assert error.value.option == option

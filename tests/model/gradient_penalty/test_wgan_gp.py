from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.functional.random import Draws
from ganvas.model.gradient_penalty.wgan_gp import WGANGP

DRAWS = Draws(seed=3, step=4)


@pytest.mark.parametrize(("norm", "expected"), [(1.0, 0.0), (3.0, 4.0), (0.25, 0.5625)])
def test_a_linear_critic(norm: float, expected: float) -> None:
    torch.manual_seed(0)
    weight = torch.randn(2, 3, 4)
    weight *= norm / weight.norm()
    real, fake = torch.randn(4, 2, 3, 4), torch.randn(4, 2, 3, 4)
    penalty = WGANGP(weight=7.0)(lambda x: (x * weight).flatten(1).sum(1), real=real, fake=fake, draws=DRAWS)
    assert penalty.item() == pytest.approx(7 * expected, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("interval", [1, 5])
def test_one_epsilon_a_pair_weighs_the_real_sample(interval: int) -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(4, 2, 3), 2 * torch.randn(4, 2, 3)

    def critic(x: Tensor) -> Tensor:
        return x.square().flatten(1).sum(1) / 2  # its gradient is x itself

    epsilon = DRAWS.uniform("wgan_gp", 4)[:, None, None]
    norms = (epsilon * real + (1 - epsilon) * fake).flatten(1).norm(dim=1)
    penalty = WGANGP(weight=10.0, interval=interval)(critic, real=real, fake=fake, draws=DRAWS)
    torch.testing.assert_close(penalty, interval * 10 * (norms - 1).square().mean())


def test_a_zero_critic_has_a_finite_gradient() -> None:
    critic = nn.Linear(6, 1)
    nn.init.zeros_(critic.weight)
    penalty = WGANGP(weight=10.0)(
        lambda x: critic(x)[:, 0], real=torch.randn(4, 6), fake=torch.randn(4, 6), draws=DRAWS
    )
    assert penalty.item() == pytest.approx(10)
    penalty.backward()
    assert critic.weight.grad is not None
    assert critic.weight.grad.isfinite().all()


@pytest.mark.parametrize(("option", "value"), [("weight", 0.0), ("interval", 0)])
def test_options_are_checked(option: str, value: float) -> None:
    with pytest.raises(OptionError) as error:
        WGANGP(**{option: value})
    assert error.value.option == option

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.functional.random import Draws
from ganvas.model.gradient_penalty.dragan import DRAGAN

DRAWS = Draws(seed=3, step=4)


@pytest.mark.parametrize(("norm", "expected"), [(1.0, 0.0), (3.0, 4.0), (0.25, 0.5625)])
def test_a_linear_critic(norm: float, expected: float) -> None:
    torch.manual_seed(0)
    weight = torch.randn(2, 3, 4)
    weight *= norm / weight.norm()
    real, fake = torch.randn(2, 4, 2, 3, 4)
    penalty = DRAGAN(weight=7.0)(lambda x: (x * weight).flatten(1).sum(1), real=real, fake=fake, draws=DRAWS)
    assert penalty.item() == pytest.approx(7 * expected, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("interval", [1, 5])
def test_it_looks_close_to_real_samples(interval: int) -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(4, 2, 3), 2 * torch.randn(4, 2, 3)
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.square().flatten(1).sum(1) / 2  # its gradient is x itself

    penalty = DRAGAN(weight=10.0, spread=0.4, interval=interval)(critic, real=real, fake=fake, draws=DRAWS)
    change = (seen[0] - real) / 0.4
    share = DRAWS.uniform("dragan/share", 4)[:, None, None]
    torch.testing.assert_close(change, share * DRAWS.uniform("dragan/noise", 4, 2, 3), rtol=0, atol=1e-6)
    norms = seen[0].flatten(1).norm(dim=1)
    torch.testing.assert_close(penalty, interval * 10 * (norms - 1).square().mean())


def test_parts_of_a_batch_add_up_to_it() -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(2, 6, 5)
    penalty = DRAGAN()
    whole = penalty(lambda x: x.square().sum(1), real=real, fake=fake, draws=DRAWS)
    parts = [
        penalty(
            lambda x: x.square().sum(1),
            real=real[i : i + 3],
            fake=fake[i : i + 3],
            draws=DRAWS.part(i // 3, 2),
        )
        for i in (0, 3)
    ]
    torch.testing.assert_close(sum(parts) / 2, whole)


def test_a_zero_critic_has_a_finite_gradient() -> None:
    critic = nn.Linear(6, 1)
    nn.init.zeros_(critic.weight)
    penalty = DRAGAN(weight=10.0)(
        lambda x: critic(x)[:, 0], real=torch.randn(4, 6), fake=torch.randn(4, 6), draws=DRAWS
    )
    assert penalty.item() == pytest.approx(10)
    penalty.backward()
    assert critic.weight.grad is not None
    assert critic.weight.grad.isfinite().all()


@pytest.mark.parametrize(("option", "value"), [("weight", 0.0), ("spread", 0.0), ("interval", 0)])
def test_options_are_checked(option: str, value: float) -> None:
    with pytest.raises(OptionError) as error:
        DRAGAN(**{option: value})
    assert error.value.option == option

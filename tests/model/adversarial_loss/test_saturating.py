from __future__ import annotations

import math

import pytest
import torch

from ganvas.model.adversarial_loss.non_saturating import NonSaturating
from ganvas.model.adversarial_loss.saturating import Saturating


def test_both_sides_play_one_game() -> None:
    real, fake, loss = torch.tensor([2.0, -1.0]), torch.tensor([-3.0, 0.5]), Saturating()
    probability = 1 / (1 + (-fake).exp())  # that a fake is real
    value = loss.generator(fake_logits=fake).item()
    assert value == pytest.approx((1 - probability).log().mean().item(), rel=1e-5)
    both = loss.discriminator(real_logits=real, fake_logits=fake).item()
    assert both == pytest.approx(NonSaturating().discriminator(real_logits=real, fake_logits=fake).item())
    assert loss.generator(fake_logits=torch.zeros(3)).item() == pytest.approx(-math.log(2))
    assert not loss.needs_real_logits


@pytest.mark.parametrize("logit", [-30.0, -5.0, 0.0, 4.0])
def test_the_generators_gradient_saturates(logit: float) -> None:
    fake = torch.tensor([logit], requires_grad=True)
    Saturating().generator(fake_logits=fake).backward()
    assert fake.grad is not None
    assert fake.grad.item() == pytest.approx(-1 / (1 + math.exp(-logit)), rel=1e-5)

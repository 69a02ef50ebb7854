from __future__ import annotations

import math

import pytest
import torch

from ganvas.model.adversarial_loss.non_saturating import NonSaturating


def _softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def test_closed_forms() -> None:
    loss, zero = NonSaturating(), torch.zeros(3)
    assert loss.discriminator(real_logits=zero, fake_logits=zero).item() == pytest.approx(2 * math.log(2))
    assert loss.generator(fake_logits=zero).item() == pytest.approx(math.log(2))
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([-3.0, 0.5])
    expected = (_softplus(-2) + _softplus(1)) / 2 + (_softplus(-3) + _softplus(0.5)) / 2
    assert loss.discriminator(real_logits=real, fake_logits=fake).item() == pytest.approx(expected, rel=1e-6)
    expected = (_softplus(3) + _softplus(-0.5)) / 2
    assert loss.generator(fake_logits=fake).item() == pytest.approx(expected, rel=1e-6)
    assert not loss.needs_real_logits


@pytest.mark.parametrize("logit", [-30.0, -5.0, 0.0, 4.0])
def test_the_generators_gradient_does_not_saturate(logit: float) -> None:
    fake = torch.tensor([logit], requires_grad=True)
    NonSaturating().generator(fake_logits=fake).backward()
    assert fake.grad is not None
    assert fake.grad.item() == pytest.approx(1 / (1 + math.exp(-logit)) - 1, rel=1e-5)


def test_bfloat16_logits_make_a_float32_loss() -> None:
    logits = torch.tensor([0.5, -2.0], dtype=torch.bfloat16)
    assert NonSaturating().discriminator(real_logits=logits, fake_logits=logits).dtype == torch.float32
    assert NonSaturating().generator(fake_logits=logits).dtype == torch.float32

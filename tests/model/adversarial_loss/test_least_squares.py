from __future__ import annotations

import pytest
import torch

from ganvas.model.adversarial_loss.least_squares import LeastSquares


def test_closed_forms() -> None:
    loss, one, zero = LeastSquares(), torch.ones(3), torch.zeros(3)
    assert loss.discriminator(real_logits=one, fake_logits=zero).item() == 0
    assert loss.discriminator(real_logits=zero, fake_logits=one).item() == pytest.approx(1)
    real, fake = torch.tensor([3.0, 0.5]), torch.tensor([-2.0, 1.0, 0.0])
    value = loss.discriminator(real_logits=real, fake_logits=fake).item()
    assert value == pytest.approx((4 + 0.25) / 4 + (4 + 1) / 6)
    assert loss.generator(fake_logits=fake).item() == pytest.approx((9 + 0 + 1) / 6)
    assert not loss.needs_real_logits


def test_gradients_grow_with_the_distance_from_the_targets() -> None:
    real, fake = (torch.tensor(x, requires_grad=True) for x in ([3.0, 0.5], [-2.0, 1.0]))
    LeastSquares().discriminator(real_logits=real, fake_logits=fake).backward()
    torch.testing.assert_close(real.grad, torch.tensor([1.0, -0.25]))
    torch.testing.assert_close(fake.grad, torch.tensor([-1.0, 0.5]))
    fake.grad = None
    LeastSquares().generator(fake_logits=fake).backward()
    torch.testing.assert_close(fake.grad, torch.tensor([-1.5, 0.0]))

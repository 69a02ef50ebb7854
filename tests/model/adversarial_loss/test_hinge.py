from __future__ import annotations

import pytest
import torch

from ganvas.model.adversarial_loss.hinge import Hinge


def test_closed_forms() -> None:
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-2.0, 0.5])
    assert Hinge().discriminator(real_logits=real, fake_logits=fake).item() == pytest.approx(1.0)
    assert Hinge().generator(fake_logits=fake).item() == pytest.approx(0.75)
    assert not Hinge().needs_real_logits


def test_no_gradient_beyond_the_margins() -> None:
    real = torch.tensor([1.5, 0.5, -3.0], requires_grad=True)
    fake = torch.tensor([-1.5, -0.5, 3.0], requires_grad=True)
    Hinge().discriminator(real_logits=real, fake_logits=fake).backward()
    torch.testing.assert_close(real.grad, torch.tensor([0.0, -1 / 3, -1 / 3]))
    torch.testing.assert_close(fake.grad, torch.tensor([0.0, 1 / 3, 1 / 3]))


def test_the_generators_loss_has_no_hinge() -> None:
    fake = torch.tensor([5.0, -5.0], requires_grad=True)
    Hinge().generator(fake_logits=fake).backward()
    torch.testing.assert_close(fake.grad, torch.tensor([-0.5, -0.5]))

from __future__ import annotations

import math

import pytest
import torch

from ganvas.model.adversarial_loss.rpgan import RpGAN


def _softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def test_closed_forms() -> None:
    loss, equal = RpGAN(), torch.tensor([3.0, -1.0])
    assert loss.discriminator(real_logits=equal, fake_logits=equal).item() == pytest.approx(math.log(2))
    assert loss.generator(fake_logits=equal, real_logits=equal).item() == pytest.approx(math.log(2))
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([-1.0, 0.5])  # differences 3 and -1.5
    discriminator = loss.discriminator(real_logits=real, fake_logits=fake).item()
    generator = loss.generator(fake_logits=fake, real_logits=real).item()
    assert discriminator == pytest.approx((_softplus(-3) + _softplus(1.5)) / 2, rel=1e-6)
    assert generator == pytest.approx((_softplus(3) + _softplus(-1.5)) / 2, rel=1e-6)
    assert generator - discriminator == pytest.approx(0.75, rel=1e-5)  # mean(r - f)
    assert loss.needs_real_logits


def test_an_offset_of_the_discriminator_changes_nothing() -> None:
    torch.manual_seed(0)
    real, fake, loss = torch.randn(8), torch.randn(8), RpGAN()
    torch.testing.assert_close(
        loss.discriminator(real_logits=real + 4, fake_logits=fake + 4),
        loss.discriminator(real_logits=real, fake_logits=fake),
    )
    torch.testing.assert_close(
        loss.generator(fake_logits=fake + 4, real_logits=real + 4),
        loss.generator(fake_logits=fake, real_logits=real),
    )


def test_pairs_are_pairs() -> None:
    loss = RpGAN()
    for real, fake in [(torch.zeros(4, 1), torch.zeros(4)), (torch.zeros(4), torch.zeros(1))]:
        with pytest.raises(ValueError, match=r"alike in all but|as many real as"):
            loss.discriminator(real_logits=real, fake_logits=fake)
        with pytest.raises(ValueError, match=r"alike in all but|as many real as"):
            loss.generator(fake_logits=fake, real_logits=real)
    with pytest.raises(ValueError, match="real logits"):
        loss.generator(fake_logits=torch.zeros(4))

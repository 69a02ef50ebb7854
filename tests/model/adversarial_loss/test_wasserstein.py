from __future__ import annotations

import pytest
import torch
from torch import nn

from ganvas.errors import OptionError
from ganvas.model.adversarial_loss.wasserstein import Wasserstein


def test_closed_forms() -> None:
    real, fake, loss = torch.tensor([2.0, 0.5]), torch.tensor([-2.0, 0.5, 3.0]), Wasserstein()
    assert loss.discriminator(real_logits=real, fake_logits=fake).item() == pytest.approx(0.5 - 1.25)
    assert loss.generator(fake_logits=fake).item() == pytest.approx(-0.5)
    assert not loss.needs_real_logits
    assert loss.constrain is None


def test_clip_bounds_every_parameter_on_both_sides() -> None:
    critic = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    with torch.no_grad():
        critic[0].weight.copy_(torch.linspace(-0.05, 0.05, 12).view(4, 3))
    before = critic[0].weight.detach().clone()
    constrain = Wasserstein(clip=0.02).constrain
    assert constrain is not None
    constrain(critic)
    torch.testing.assert_close(critic[0].weight, before.clamp(-0.02, 0.02), rtol=0, atol=0)
    assert critic[1].weight.tolist() == pytest.approx([0.02] * 4)
    assert all(parameter.requires_grad for parameter in critic.parameters())


@pytest.mark.parametrize("clip", [0.0, -0.01, float("nan")])
def test_options_are_checked(clip: float) -> None:
    with pytest.raises(OptionError) as error:
        Wasserstein(clip=clip)
    assert error.value.option == "clip"

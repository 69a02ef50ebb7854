from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.model.critic import Critic
from ganvas.model.discriminator.mlp import MLPDiscriminator
from ganvas.model.discriminator.multi_scale_stft import MultiScaleSTFTDiscriminator
from ganvas.model.discriminator.patch import PatchDiscriminator
from ganvas.model.feature_matching import captured, check_layers, feature_distance
from ganvas.model.head.plain import PlainHead


def test_a_distance_is_relative_at_each_layer_and_sample() -> None:
    real = [torch.tensor([[1.0, -3.0], [2.0, 2.0]]), torch.tensor([[[4.0]], [[8.0]]])]
    fake = [torch.tensor([[2.0, -3.0], [2.0, 6.0]]), torch.tensor([[[3.0]], [[8.0]]])]
    # first layer: .5 / 2 and 2 / 2; second: 1 / 4 and 0
    wanted = ((0.25 + 1.0) / 2 + (0.25 + 0.0) / 2) / 2
    assert feature_distance(real=real, fake=fake).item() == pytest.approx(wanted)
    parts = [
        feature_distance(real=[r[i : i + 1] for r in real], fake=[f[i : i + 1] for f in fake]) for i in (0, 1)
    ]
    assert torch.stack(parts).mean().item() == pytest.approx(wanted)
    swapped = feature_distance(real=fake, fake=real)
    assert swapped.item() != pytest.approx(wanted)


def test_gradients_are_of_what_was_made_alone() -> None:
    real, fake = (torch.randn(3, 4, requires_grad=True) for _ in range(2))
    feature_distance(real=[real], fake=[fake]).backward()
    assert real.grad is None
    assert fake.grad is not None
    assert fake.grad.any()
    zero = torch.zeros(2, 3, requires_grad=True)
    feature_distance(real=[torch.zeros(2, 3)], fake=[zero]).backward()
    assert zero.grad is not None
    assert zero.grad.isfinite().all()
    for pair in ({"real": [], "fake": []}, {"real": [real], "fake": [real, real]}):
        with pytest.raises(ValueError, match="must be as many"):
            feature_distance(**pair)


NETWORKS = {
    "mlp": (lambda: MLPDiscriminator([1, 16, 16], hidden_dim=8), (3, 1, 16, 16), 1),
    "patch": (lambda: PatchDiscriminator(1, 16, base_channels=2, layers=1), (3, 1, 16, 16), 2),
    "sounds": (lambda: MultiScaleSTFTDiscriminator([1, 64], 2, [32, 16]), (3, 1, 64), 10),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_each_layer_s_values_are_captured_while_asked(name: str) -> None:
    torch.manual_seed(0)
    network, shape, number = NETWORKS[name]
    critic = Critic(made := network(), PlainHead(made.feature_dim))
    x = torch.randn(shape)
    check_layers(critic, x)
    with captured(critic) as found:
        logits = critic(x)
    assert len(found) == number
    assert all(len(one) == 3 for one in found)
    assert torch.equal(critic.eval()(x), critic(x))
    critic.train()
    assert len(found) == number  # nothing listens any more
    made = torch.autograd.grad(sum(one.sum() for one in found), list(made.parameters()), allow_unused=True)
    assert all(one is not None for one in made[:1])
    assert logits.shape[0] == 3


def test_what_follows_a_layer_in_place_is_captured_with_it() -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(1, 16, base_channels=2, layers=1)
    critic = Critic(network, PlainHead(network.feature_dim))
    x = torch.randn(2, 1, 16, 16)
    with captured(critic) as found:
        critic(x)
    torch.testing.assert_close(found[0], network.layers[:2](x))  # the convolution and its LeakyReLU


class Opaque(nn.Module):
    feature_dim = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((1, 2, 3))[:, None] * self.weight


def test_a_discriminator_without_layers_is_refused() -> None:
    with pytest.raises(OptionError, match="hands out no layers") as error:
        check_layers(Critic(Opaque(), PlainHead(2)), torch.randn(2, 1, 4, 4))
    assert error.value.option == "discriminator"
    assert error.value.value == "Opaque"

"""Layers of a discriminator that do not move: which ones they are, and that nothing of them does."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from broken_recipes import Faults, fit, make_gan

from ganvas.errors import OptionError
from ganvas.model.adversarial_loss.wasserstein import Wasserstein
from ganvas.model.critic import Critic
from ganvas.model.discriminator.mlp import MLPDiscriminator
from ganvas.model.freezing import layers_from_input
from ganvas.model.gradient_penalty.r1 import R1
from ganvas.model.head.plain import PlainHead

SGD = partial(torch.optim.SGD, lr=0.1)


def names_of(model: Any, layers: int) -> set[str]:
    """The tensors of the discriminator's first layers, by their names in it."""
    own = [
        id(value)
        for layer in layers_from_input(model.discriminator.network)[:layers]
        for module in layer
        for value in module.state_dict(keep_vars=True).values()
    ]
    return {
        name for name, value in model.discriminator.state_dict(keep_vars=True).items() if id(value) in own
    }


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_frozen_layers_do_not_move_and_all_others_do(layers: int) -> None:
    """A linear layer with spectral norm and its BatchNorm are the first, another linear layer the second."""
    model = make_gan(Faults(), freeze_discriminator_layers=layers, discriminator_optimizer=SGD)
    before = {name: value.clone() for name, value in model.discriminator.state_dict().items()}
    still = names_of(model, layers)
    assert len(still) == [0, 9, 11][layers], "weights, biases, spectral vectors, statistics"
    fit(model, Faults(), 3)
    now = model.discriminator.state_dict()
    assert {name for name, value in before.items() if torch.equal(now[name], value)} == still
    model.eval().train()
    for number, layer in enumerate(layers_from_input(model.discriminator.network)):
        assert {module.training for one in layer for module in one.modules()} == {number >= layers}


def test_a_clipped_critic_leaves_them_alone() -> None:
    loss = Wasserstein(clip=0.001)
    model = make_gan(
        Faults(), freeze_discriminator_layers=1, adversarial_loss=loss, discriminator_optimizer=SGD
    )
    before = {name: value.clone() for name, value in model.discriminator.named_parameters()}
    fit(model, Faults(), 2)
    for name, parameter in model.discriminator.named_parameters():
        if name in names_of(model, 1):
            assert torch.equal(parameter, before[name])
        else:
            assert parameter.abs().max() <= 0.001


def test_gradients_pass_through_to_samples_and_penalties() -> None:
    torch.manual_seed(0)
    critic = Critic(MLPDiscriminator(sample_shape=[1, 4, 4], hidden_dim=8), PlainHead(8))
    free, x = R1(1.0), torch.randn(5, 1, 4, 4)
    expected = free(critic, real=x, fake=x, draws=None)
    critic.freeze(1)
    value = free(critic, real=x, fake=x, draws=None)
    torch.testing.assert_close(value, expected)
    value.backward()
    assert [p.grad is None for p in critic.parameters()] == [True, True, False, True], "the bias has none"
    fake = x.clone().requires_grad_(True)
    critic(fake).sum().backward()
    assert fake.grad is not None
    assert fake.grad.any()


@pytest.mark.parametrize("layers", [-1, 3])
def test_layers_that_are_not_there_are_refused(layers: int) -> None:
    with pytest.raises(OptionError, match="must be from 0 to 2, the layers of this discriminator") as error:
        make_gan(Faults(), freeze_discriminator_layers=layers)
    assert error.value.option == "freeze_discriminator_layers"

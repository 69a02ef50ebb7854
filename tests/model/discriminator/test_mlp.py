from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.critic import Critic
from ganvas.model.discriminator.mlp import MLPDiscriminator
from ganvas.model.head.plain import PlainHead


def test_the_articles_number_of_parameters() -> None:
    network = MLPDiscriminator(sample_shape=[1, 28, 28])
    critic = Critic(network, PlainHead(network.feature_dim))
    assert sum(parameter.numel() for parameter in critic.parameters()) == 100_609


@pytest.mark.parametrize("sample_shape", [[2], [3, 4, 5]])
def test_it_is_its_formula(sample_shape: list[int]) -> None:
    torch.manual_seed(0)
    discriminator = MLPDiscriminator(sample_shape, hidden_dim=5)
    x = torch.randn(6, *sample_shape)
    weight, bias = discriminator.parameters()
    torch.testing.assert_close(discriminator(x), torch.relu(x.flatten(1) @ weight.T + bias))
    assert discriminator(x[:1]).shape == (1, discriminator.feature_dim)


def test_several_hidden_layers_are_their_formula() -> None:
    torch.manual_seed(0)
    discriminator = MLPDiscriminator([2], hidden_dim=5, hidden_layers=2)
    x = torch.randn(6, 2)
    w1, b1, w2, b2 = discriminator.parameters()
    torch.testing.assert_close(discriminator(x), torch.relu(torch.relu(x @ w1.T + b1) @ w2.T + b2))


@pytest.mark.parametrize(
    ("option", "value"), [("hidden_dim", 0), ("hidden_layers", 0), ("sample_shape", [0])]
)
def test_sizes_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        MLPDiscriminator(**({"sample_shape": [2], "hidden_dim": 3} | {option: value}))
    assert error.value.option == option

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn.functional import leaky_relu

from ganvas.errors import OptionError
from ganvas.functional.gradients import mean_squared_gradient
from ganvas.model.critic import Critic
from ganvas.model.discriminator.style import StyleDiscriminator
from ganvas.model.head.mapped import MappedHead


def size(image_size: int, num_classes: int | None = None, **options: Any) -> int:
    with torch.device("meta"):
        network = StyleDiscriminator(3, image_size, **options)
        critic = Critic(network, MappedHead(network.feature_dim, num_classes))
    return sum(parameter.numel() for parameter in critic.parameters())


def test_published_numbers_of_parameters() -> None:
    assert size(32, architecture="orig") == 20_720_641
    assert size(32, 10, architecture="orig") == 23_089_664
    assert size(64) == 23_407_361
    assert size(256) == 24_001_089
    assert size(1024, channel_base=32768) == 29_012_513


def act(x: torch.Tensor) -> torch.Tensor:
    return leaky_relu(x, 0.2) * math.sqrt(2)


@pytest.mark.parametrize("architecture", ["resnet", "orig"])
def test_it_is_its_formula(architecture: str) -> None:
    torch.manual_seed(0)
    network = StyleDiscriminator(2, 14, architecture, channel_max=8, minibatch_group=3)
    x = torch.randn(6, 2, 14, 14)
    first = act(network.image(x))
    (block,) = network.blocks
    y = act(block.second(act(block.first(first))))
    if architecture == "resnet":
        y = (y + block.shortcut(first)) / math.sqrt(2)
    else:
        assert block.shortcut is None
    assert y.shape == (6, 8, 7, 7)
    deviation = y.view(2, 3, 8, 7, 7).std(1, correction=0).mean((1, 2, 3))
    more = deviation.repeat_interleave(3)[:, None, None, None].expand(6, 1, 7, 7)
    expected = act(network.linear(act(network.last(torch.cat([y, more], 1))).flatten(1)))
    torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-5)
    assert network.feature_dim == expected.shape[1] == 8


def test_what_it_makes_has_about_unit_variance() -> None:
    torch.manual_seed(0)
    network = StyleDiscriminator(3, 32, channel_max=64)
    features = network(torch.randn(16, 3, 32, 32))
    assert 0.2 < features.square().mean().item() < 3


def test_samples_are_compared_in_groups() -> None:
    torch.manual_seed(0)
    network, x = StyleDiscriminator(1, 8, channel_max=8, minibatch_group=2), torch.randn(6, 1, 8, 8)
    features = network(x)
    torch.testing.assert_close(torch.cat([network(x[:2]), network(x[2:])]), features)
    other = x.clone()
    other[3] += 1
    changed = (network(other) - features).abs().amax(1) > 1e-4
    assert changed.tolist() == [False, False, True, True, False, False]
    with pytest.raises(ValueError, match="a batch of 3 where samples are compared in groups of 2"):
        network(x[:3])
    assert network.eval()(x[:3]).shape == (3, 8)
    alone = StyleDiscriminator(1, 8, channel_max=8, minibatch_group=None)
    torch.testing.assert_close(alone(x)[4:5], alone(x[4:5]))


def test_its_gradient_can_be_differentiated_again() -> None:
    torch.manual_seed(0)
    network, x = StyleDiscriminator(1, 8, channel_max=8), torch.randn(4, 1, 8, 8)
    critic = Critic(network, MappedHead(8))
    mean_squared_gradient(critic, x).backward()
    weights = [p for name, p in critic.named_parameters() if name.endswith("weight")]
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in weights)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("channels", None, "makes images"),
        ("image_size", 36, "times a power of two"),
        ("architecture", "skip", "resnet, orig"),
        ("channel_base", 31, "at least 32"),
        ("channel_max", 0, "at least 1"),
        ("minibatch_group", 1, "at least 2"),
    ],
)
def test_options_are_checked(option: str, value: object, reason: str) -> None:
    with torch.device("meta"), pytest.raises(OptionError, match=reason) as error:
        StyleDiscriminator(**({"channels": 1, "image_size": 32} | {option: value}))
    assert error.value.option == option

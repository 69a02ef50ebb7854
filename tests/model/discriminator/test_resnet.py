from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, relu

from ganvas.errors import OptionError
from ganvas.model.critic import Critic
from ganvas.model.discriminator.resnet import ResNetDiscriminator
from ganvas.model.head.projection import ProjectionHead


def size(image_size: int, num_classes: int | None = None, **options: object) -> int:
    network = ResNetDiscriminator(3, image_size, **options)
    critic = Critic(network, ProjectionHead(network.feature_dim, num_classes))
    return sum(parameter.numel() for parameter in critic.parameters())


@pytest.mark.parametrize(
    ("image_size", "parameters"), [(32, 1_053_825), (48, 10_141_441), (64, 10_141_441), (128, 29_017_857)]
)
def test_published_numbers_of_parameters(image_size: int, parameters: int) -> None:
    with torch.device("meta"):
        assert size(image_size, norm="none") == parameters


def test_published_numbers_with_classes_and_attention() -> None:
    assert size(32, 10) == 1_055_105
    assert size(32, 10, attention_at=[16]) == 1_075_586


def test_it_is_its_formula() -> None:
    torch.manual_seed(0)
    network = ResNetDiscriminator(2, 8, widths=[4, 6, 6], norm="none", pooling="sum")
    first, second, third = network.blocks
    assert (first.halves, second.halves, third.halves) == (True, False, False), "a side of 4 is left"
    x = torch.randn(3, 2, 8, 8)
    h = avg_pool2d(first.conv2(relu(first.conv1(x))), 2) + avg_pool2d(first.shortcut(x), 2)
    h = second.conv2(relu(second.conv1(relu(h)))) + second.shortcut(h)
    h = third.conv2(relu(third.conv1(relu(h)))) + h
    assert third.shortcut is None
    torch.testing.assert_close(network(x), relu(h).sum((2, 3)))
    network.pooling = "mean"
    torch.testing.assert_close(network(x), relu(h).mean((2, 3)))


@pytest.mark.parametrize(("image_size", "sides"), [(32, 8), (64, 2), (48, 3)])
def test_the_papers_halvings(image_size: int, sides: int) -> None:
    with torch.device("meta"):
        network = ResNetDiscriminator(1, image_size, norm="none")
        assert network.blocks(torch.empty(2, 1, image_size, image_size)).shape[2:] == (sides, sides)


def test_spectral_norm_is_on_every_weight() -> None:
    network = ResNetDiscriminator(1, 16, widths=[8, 8], attention_at=[8])
    assert network.spectral
    plain = [m for m in network.modules() if isinstance(m, nn.Conv2d) and not hasattr(m, "parametrizations")]
    assert not plain
    assert not ResNetDiscriminator(1, 16, widths=[8, 8], norm="none").spectral


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("channels", None, "makes images"),
        ("image_size", 40, "32, 48, 64, 128 pixels"),
        ("norm", "batch", "spectral, none"),
        ("pooling", "max", "sum, mean"),
        ("attention_at", [32], "there are 8, 16"),
        ("halvings", 5, "from 0 to 4"),
        ("widths", [], "at least one stage"),
    ],
)
def test_options_are_checked(option: str, value: object, reason: str) -> None:
    options = {"channels": 1, "image_size": 32} | {option: value}
    with pytest.raises(OptionError, match=reason) as error:
        ResNetDiscriminator(**options)
    assert error.value.option == option


def test_sizes_that_the_halvings_do_not_divide() -> None:
    with pytest.raises(OptionError, match="a multiple of 8") as error:
        ResNetDiscriminator(1, 28, widths=[4, 4, 4], halvings=3)
    assert error.value.option == "image_size"

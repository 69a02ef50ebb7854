from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, relu

from ganvas.errors import OptionError
from ganvas.model.critic import Critic
from ganvas.model.discriminator.biggan import BigGANDiscriminator
from ganvas.model.head.projection import ProjectionHead
from ganvas.model.layers.attention import SelfAttention2d


@pytest.mark.parametrize(
    ("image_size", "num_classes", "parameters"), [(32, 10, 2_415_170), (128, 1000, 87_982_370)]
)
def test_published_numbers_of_parameters(image_size: int, num_classes: int, parameters: int) -> None:
    with torch.device("meta"):
        network = BigGANDiscriminator(3, image_size, norm="none")
        critic = Critic(network, ProjectionHead(network.feature_dim, num_classes))
    assert sum(parameter.numel() for parameter in critic.parameters()) == parameters


def test_it_is_its_formula() -> None:
    torch.manual_seed(0)
    network = BigGANDiscriminator(2, 16, widths=[8, 6, 6], halvings=2, norm="none")
    first, attention, second, third = network.blocks
    nn.init.constant_(attention.sigma, 0.7)  # behind the first block, of side 8
    x = torch.randn(3, 2, 16, 16)
    h = avg_pool2d(first.conv2(relu(first.conv1(x))), 2) + avg_pool2d(first.shortcut(x), 2)
    h = attention(h)
    assert second.conv1.out_channels == 6, "the width changes in the first convolution"
    branch = avg_pool2d(second.conv2(relu(second.conv1(relu(h)))), 2)
    h = branch + avg_pool2d(second.shortcut(h), 2)
    h = third.conv2(relu(third.conv1(relu(h)))) + h
    assert third.shortcut is None
    torch.testing.assert_close(network(x), relu(h).sum((2, 3)))


@pytest.mark.parametrize(("image_size", "side"), [(32, 8), (64, 4), (128, 4)])
def test_the_papers_halvings_and_attention(image_size: int, side: int) -> None:
    with torch.device("meta"):
        network = BigGANDiscriminator(1, image_size, norm="none")
        x = torch.empty(2, 1, image_size, image_size)
        assert network.blocks(x).shape[2:] == (side, side)
        (place,) = [i for i, block in enumerate(network.blocks) if isinstance(block, SelfAttention2d)]
        assert network.blocks[:place](x).shape[2] == image_size // 2


def test_spectral_norm_and_orthogonal_weights() -> None:
    torch.manual_seed(0)
    network = BigGANDiscriminator(1, 16, widths=[8, 8])
    assert network.spectral
    for layer in (m for m in network.modules() if isinstance(m, nn.Conv2d)):
        assert hasattr(layer, "parametrizations")
        singular = torch.linalg.svdvals(layer.weight.detach().flatten(1))
        torch.testing.assert_close(singular, torch.ones_like(singular), rtol=0, atol=1e-4)
    free = BigGANDiscriminator(1, 16, widths=[8, 8], norm="none", attention_at=[])
    assert not free.spectral
    assert not any(hasattr(m, "parametrizations") or isinstance(m, SelfAttention2d) for m in free.modules())


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("channels", None, "makes images"),
        ("image_size", 48, "32, 64, 128 pixels"),
        ("norm", "batch", "spectral, none"),
        ("attention_at", [32], "there are 8, 16"),
        ("halvings", 5, "from 0 to 4"),
        ("widths", [], "at least one stage"),
    ],
)
def test_options_are_checked(option: str, value: object, reason: str) -> None:
    options = {"channels": 1, "image_size": 32} | {option: value}
    with pytest.raises(OptionError, match=reason) as error:
        BigGANDiscriminator(**options)
    assert error.value.option == option


def test_sizes_that_the_halvings_do_not_divide() -> None:
    with pytest.raises(OptionError, match="a multiple of 8") as error:
        BigGANDiscriminator(1, 28, widths=[8, 8, 8], halvings=3)
    assert error.value.option == "image_size"

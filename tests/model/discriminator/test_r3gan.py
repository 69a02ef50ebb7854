from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.critic import Critic
from ganvas.model.discriminator.r3gan import R3GANDiscriminator
from ganvas.model.head.inner_product import InnerProductHead


def size(image_size: int, num_classes: int | None = None, **options: object) -> int:
    with torch.device("meta"):
        network = R3GANDiscriminator(3, image_size, **options)
        critic = Critic(network, InnerProductHead(network.feature_dim, num_classes))
    return sum(parameter.numel() for parameter in critic.parameters())


@pytest.mark.parametrize(
    ("image_size", "parameters"), [(32, 20_683_776), (64, 22_381_440), (256, 23_009_568)]
)
def test_published_numbers_of_parameters(image_size: int, parameters: int) -> None:
    assert size(image_size) == parameters


def test_published_numbers_with_classes_and_of_imagenet() -> None:
    assert size(32, 10) == 21_280_512
    assert size(32, 1000, widths=[1536] * 4, group_size=32) == 86_548_992
    assert size(64, 1000, widths=[1536] * 5, group_size=32) == 107_205_120


def test_at_the_start_it_is_linear_in_the_image() -> None:
    torch.manual_seed(0)
    network = R3GANDiscriminator(2, 16, widths=[16, 16, 8])
    a, b = torch.randn(2, 3, 2, 16, 16)
    torch.testing.assert_close(network(2 * a - b), 2 * network(a) - network(b), rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        network.stages[0][1].narrow.weight.normal_(0, 0.3)
    assert not torch.allclose(network(2 * a - b), 2 * network(a) - network(b), rtol=1e-2, atol=1e-2)


def test_any_base() -> None:
    network = R3GANDiscriminator(1, 28, widths=[16, 8, 8], blocks=1)
    assert network(torch.randn(2, 1, 28, 28)).shape == (2, 16)
    assert network.whole.weight.shape == (16, 1, 7, 7)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("channels", None, "makes images"),
        ("image_size", 48, "32, 64, 256 pixels"),
        ("blocks", 0, "at least 1"),
        ("expansion", 0, "at least 1"),
        ("group_size", 0, "must divide the 1536"),
    ],
)
def test_options_are_checked(option: str, value: object, reason: str) -> None:
    with torch.device("meta"), pytest.raises(OptionError, match=reason) as error:
        R3GANDiscriminator(**({"channels": 1, "image_size": 32} | {option: value}))
    assert error.value.option == option

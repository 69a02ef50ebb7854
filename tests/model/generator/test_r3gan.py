from __future__ import annotations

import pytest
import torch
from torch import nn

from ganvas.errors import OptionError
from ganvas.model.generator.r3gan import R3GANGenerator


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("image_size", "parameters"), [(32, 20_732_160), (64, 22_429_824), (256, 23_057_952)]
)
def test_published_numbers_of_parameters(image_size: int, parameters: int) -> None:
    with torch.device("meta"):
        assert size(R3GANGenerator(64, 3, image_size)) == parameters


def test_published_numbers_with_classes_and_of_imagenet() -> None:
    with torch.device("meta"):
        assert size(R3GANGenerator(64, 3, 32, num_classes=10)) == 20_781_952
        assert (
            size(R3GANGenerator(64, 3, 32, widths=[1536] * 4, group_size=32, num_classes=1000)) == 82_914_304
        )
        assert (
            size(R3GANGenerator(64, 3, 64, widths=[1536] * 5, group_size=32, num_classes=1000)) == 103_570_432
        )


def test_at_the_start_it_is_linear_in_the_latent() -> None:
    torch.manual_seed(0)
    generator = R3GANGenerator(5, 2, 16, widths=[16, 16, 8])
    a, b = torch.randn(2, 3, 5)
    torch.testing.assert_close(generator(2 * a - b), 2 * generator(a) - generator(b), rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        generator.stages[1][0].narrow.weight.normal_(0, 0.3)
    assert not torch.allclose(generator(2 * a - b), 2 * generator(a) - generator(b), rtol=1e-2, atol=1e-2)


def test_images_are_cut_in_eval_mode_alone() -> None:
    torch.manual_seed(0)
    generator, z = R3GANGenerator(5, 1, 28, widths=[8, 8, 8]), 10 * torch.randn(3, 5)
    raw = generator(z)
    assert raw.shape == (3, 1, 28, 28)
    assert raw.abs().max() > 1
    torch.testing.assert_close(generator.eval()(z), raw.clamp(-1, 1))


def test_each_image_has_its_class() -> None:
    torch.manual_seed(0)
    generator, z = R3GANGenerator(5, 1, 8, widths=[8, 8], num_classes=3, class_dim=4), torch.randn(3, 5)
    images = generator(z, torch.tensor([0, 2, 1]))
    torch.testing.assert_close(generator(z, torch.tensor([0, 0, 1]))[[0, 2]], images[[0, 2]])
    assert not torch.allclose(generator(z, torch.tensor([0, 0, 1]))[1], images[1])
    with pytest.raises(ValueError, match="label=None"):
        generator(z)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("channels", None, "makes images"),
        ("image_size", 48, "32, 64, 256 pixels"),
        ("latent_dim", 0, "at least 1"),
        ("class_dim", 0, "at least 1"),
        ("num_classes", 1, "at least 2"),
        ("blocks", 0, "at least 1"),
        ("expansion", 0, "at least 1"),
        ("group_size", 7, "must divide the 1536"),
    ],
)
def test_options_are_checked(option: str, value: object, reason: str) -> None:
    options = {"latent_dim": 4, "channels": 1, "image_size": 32} | {option: value}
    with torch.device("meta"), pytest.raises(OptionError, match=reason) as error:
        R3GANGenerator(**options)
    assert error.value.option == option

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate, relu

from ganvas.errors import OptionError
from ganvas.model.generator.resnet import ResNetGenerator


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("image_size", "parameters"), [(32, 4_276_739), (48, 4_878_083), (64, 12_220_675), (128, 32_150_787)]
)
def test_published_numbers_of_parameters(image_size: int, parameters: int) -> None:
    with torch.device("meta"):
        assert size(ResNetGenerator(128, 3, image_size)) == parameters


def test_published_numbers_with_classes_and_attention() -> None:
    assert size(ResNetGenerator(128, 3, 32, num_classes=10)) == 4_304_387
    sagan = ResNetGenerator(128, 3, 32, num_classes=10, attention_at=[16], spectral=True)
    assert size(sagan) == 4_386_308


@pytest.mark.parametrize(("image_size", "widths"), [(28, [8, 4, 8]), (32, [8, 8, 8, 8]), (12, [4, 8])])
def test_shapes_and_range(image_size: int, widths: list[int]) -> None:
    torch.manual_seed(0)
    generator = ResNetGenerator(5, 1, image_size, widths=widths)
    images = generator(10 * torch.randn(2, 5))
    assert images.shape == (2, 1, image_size, image_size)
    assert images.abs().max().item() <= 1
    assert generator.bottom == (widths[0], image_size >> len(widths) - 1, image_size >> len(widths) - 1)


def test_a_block_is_its_formula() -> None:
    torch.manual_seed(0)
    generator = ResNetGenerator(5, 1, 8, widths=[4, 6]).eval()
    (block,) = generator.blocks
    z = torch.randn(3, 5)
    x = generator.linear(z).view(3, 4, 4, 4)
    branch = block.conv1(interpolate(relu(block.norm1(x)), scale_factor=2))
    expected = block.conv2(relu(block.norm2(branch))) + block.shortcut(interpolate(x, scale_factor=2))
    torch.testing.assert_close(generator(z), torch.tanh(generator.image(relu(generator.norm(expected)))))


def test_classes_begin_alike_and_come_apart() -> None:
    torch.manual_seed(0)
    generator = ResNetGenerator(5, 1, 8, widths=[4, 6], num_classes=3).eval()
    z = torch.randn(2, 5)
    images = [generator(z, torch.full((2,), label)) for label in (0, 2)]
    torch.testing.assert_close(*images)
    with torch.no_grad():
        generator.blocks[0].norm1.classes.weight[2] += 0.5
    assert (generator(z, torch.tensor([2, 0])) - images[0]).abs().amax((1, 2, 3)).tolist()[1] == 0
    assert not torch.allclose(generator(z, torch.tensor([2, 0]))[0], images[0][0])
    with pytest.raises(ValueError, match="label=None"):
        generator(z)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("channels", None, "makes images"),
        ("image_size", 40, "32, 48, 64, 128 pixels"),
        ("latent_dim", 0, "at least 1"),
        ("num_classes", 1, "at least 2"),
        ("attention_at", [12], "there are 8, 16, 32"),
        ("widths", [], "at least one stage"),
        ("widths", [4, 0], "at least 1 channel"),
    ],
)
def test_options_are_checked(option: str, value: object, reason: str) -> None:
    options = {"latent_dim": 4, "channels": 1, "image_size": 32} | {option: value}
    with pytest.raises(OptionError, match=reason) as error:
        ResNetGenerator(**options)
    assert error.value.option == option


def test_sizes_that_the_doublings_do_not_reach() -> None:
    with pytest.raises(OptionError, match="a multiple of 8") as error:
        ResNetGenerator(4, 1, 28, widths=[4, 4, 4, 4])
    assert error.value.option == "image_size"

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate, relu

from ganvas.errors import OptionError
from ganvas.model.generator.biggan import BigGANGenerator


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_published_numbers_of_parameters() -> None:
    with torch.device("meta"):
        assert size(BigGANGenerator(80, 3, 32, num_classes=10, spectral=False)) == 9_416_196
        assert size(BigGANGenerator(120, 3, 128, num_classes=1000, spectral=False)) == 70_433_988


@pytest.mark.parametrize(
    ("image_size", "widths", "channels"), [(28, [8, 8, 8], 1), (32, [8] * 4, 3), (12, [16, 8], 1)]
)
def test_shapes_and_range(image_size: int, widths: list[int], channels: int) -> None:
    torch.manual_seed(0)
    generator = BigGANGenerator(9, channels, image_size, widths=widths)
    images = generator(10 * torch.randn(2, 9))
    assert images.shape == (2, channels, image_size, image_size)
    assert images.abs().max().item() <= 1


@pytest.mark.parametrize(("latent_dim", "parts"), [(12, [4, 4, 4]), (11, [4, 4, 3]), (3, [1, 1, 1])])
def test_the_latents_parts(latent_dim: int, parts: list[int]) -> None:
    generator = BigGANGenerator(latent_dim, 1, 16, widths=[8] * 3, num_classes=2, class_dim=5)
    assert generator.parts == parts
    assert generator.linear.in_features == parts[0]
    for block, part in zip(generator.blocks, parts[1:], strict=True):
        assert block.norm1.gain.in_features == block.norm2.offset.in_features == 5 + part


@pytest.mark.parametrize("num_classes", [None, 3])
def test_it_is_its_formula(num_classes: int | None) -> None:
    torch.manual_seed(0)
    generator = BigGANGenerator(7, 2, 16, widths=[4, 8, 6], spectral=False, num_classes=num_classes).eval()
    z, label = torch.randn(3, 7), torch.tensor([2, 0, 1])
    assert (generator.classes is None) == (num_classes is None)
    shared = torch.empty(3, 0) if num_classes is None else generator.classes.weight[label]
    nn.init.constant_(generator.blocks[0].attention.sigma, 0.7)  # behind the first block, of side 8
    assert generator.blocks[1].attention is None
    x = generator.linear(z[:, :3]).view(3, 4, 4, 4)
    for block, part in zip(generator.blocks, (z[:, 3:5], z[:, 5:]), strict=True):
        y = torch.cat([shared, part], dim=1)
        branch = block.conv1(interpolate(relu(block.norm1(x, y)), scale_factor=2))
        x = block.conv2(relu(block.norm2(branch, y))) + block.shortcut(interpolate(x, scale_factor=2))
        x = x if block.attention is None else block.attention(x)
    expected = torch.tanh(generator.image(relu(generator.norm(x))))
    torch.testing.assert_close(generator(z, label), expected)


def test_classes_differ_from_the_start_and_share_one_vector() -> None:
    torch.manual_seed(0)
    generator = BigGANGenerator(6, 1, 8, widths=[4, 8], num_classes=3).eval()
    z = torch.randn(2, 6)
    images = [generator(z, torch.full((2,), label)) for label in (0, 2)]
    assert not torch.allclose(*images)
    with torch.no_grad():
        generator.classes.weight[2] = generator.classes.weight[0]
    torch.testing.assert_close(generator(z, torch.tensor([2, 2])), images[0])
    with pytest.raises(ValueError, match="label=None"):
        generator(z)


def test_attention_and_initialization() -> None:
    torch.manual_seed(0)
    network = BigGANGenerator(8, 1, 32, widths=[16] * 4)
    assert [block.attention is not None for block in network.blocks] == [False, True, False]
    assert not any(b.attention for b in BigGANGenerator(8, 1, 32, widths=[4] * 4, attention_at=[]).blocks)
    assert BigGANGenerator(8, 1, 8, widths=[4, 8]).blocks[0].attention is None, "no map of side 4 follows"
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 1 + 3 * (3 + 4) + 4 + 1
    for layer in layers:
        assert hasattr(layer, "parametrizations"), "spectral norm is on every weight"
        weight = layer.weight.detach().flatten(1)
        singular = torch.linalg.svdvals(weight)
        torch.testing.assert_close(singular, torch.ones_like(singular), rtol=0, atol=1e-4)
        assert layer.bias is None or not layer.bias.any()
    plain = BigGANGenerator(8, 1, 32, widths=[16] * 4, spectral=False)
    assert not any(hasattr(module, "parametrizations") for module in plain.modules())


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("channels", None, "makes images"),
        ("image_size", 48, "32, 64, 128 pixels"),
        ("image_size", None, "32, 64, 128 pixels"),
        ("latent_dim", 3, "at least 4"),
        ("class_dim", 0, "at least 1"),
        ("num_classes", 1, "at least 2"),
        ("attention_at", [12], "there are 8, 16, 32"),
        ("widths", [], "at least one stage"),
        ("widths", [12, 12, 12], "a multiple of 8 channels"),
    ],
)
def test_options_are_checked(option: str, value: object, reason: str) -> None:
    options = {"latent_dim": 8, "channels": 1, "image_size": 32} | {option: value}
    with pytest.raises(OptionError, match=reason) as error:
        BigGANGenerator(**options)
    assert error.value.option == ("attention_at" if "channels" in reason else option)


def test_sizes_that_the_doublings_do_not_reach() -> None:
    with pytest.raises(OptionError, match="a multiple of 8") as error:
        BigGANGenerator(4, 1, 28, widths=[8, 8, 8, 8])
    assert error.value.option == "image_size"

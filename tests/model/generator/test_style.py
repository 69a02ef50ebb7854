from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from ganvas.errors import OptionError
from ganvas.functional.keyed_random import keyed_normal, keys_of
from ganvas.model.generator.style import StyleGenerator


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def make(image_size: int = 16, *, seed: int = 0, noisy: bool = False, **options: Any) -> StyleGenerator:
    torch.manual_seed(seed)
    parts = {"w_dim": 12, "channel_max": 8} | options
    generator = StyleGenerator(6, 2, image_size, **parts)
    if noisy:
        for layer in generator.layers:
            nn.init.constant_(layer.noise_strength, 0.5)
    return generator


@pytest.mark.parametrize(
    ("image_size", "options", "parameters"),
    [
        (32, {}, 19_947_539),
        (32, {"num_classes": 10}, 20_215_315),
        (64, {}, 22_243_608),
        (256, {"mapping_layers": 8}, 24_767_458),
        (1024, {"mapping_layers": 8, "channel_base": 32768}, 30_370_060),
    ],
)
def test_published_numbers_of_parameters(image_size: int, options: Any, parameters: int) -> None:
    with torch.device("meta"):
        assert size(StyleGenerator(512, 3, image_size, **options)) == parameters


@pytest.mark.parametrize(("image_size", "num_styles"), [(8, 4), (28, 6), (48, 8)])
def test_shapes_and_range(image_size: int, num_styles: int) -> None:
    generator, z = make(image_size), torch.randn(3, 6)
    assert generator.num_styles == num_styles
    with torch.no_grad():
        for image in generator.images:
            image.bias += 3
    raw = generator(z)
    assert raw.shape == (3, 2, image_size, image_size)
    assert raw.abs().max() > 1
    images = generator.eval()(z)
    assert images.abs().max() <= 1
    torch.testing.assert_close(images, generator.synthesize(generator.styles(z)).clamp(-1, 1))


def test_each_style_reaches_its_layer_alone() -> None:
    """A style of a later layer changes nothing before it: the last one belongs to the last image layer."""
    generator = make(8).eval()
    styles = torch.randn(2, 4, 12)
    images = generator.synthesize(styles)
    last = styles.clone()
    last[:, 3] += 1
    x = generator.layers[0](generator.constant.expand(2, -1, -1, -1), styles[:, 0], None)
    x = generator.layers[2](generator.layers[1](x, styles[:, 1], None), styles[:, 2], None)
    difference = generator.images[1](x, last[:, 3]) - generator.images[1](x, styles[:, 3])
    torch.testing.assert_close(generator.synthesize(last) - images, difference, rtol=1e-4, atol=1e-5)
    for number in range(3):
        other = styles.clone()
        other[:, number] += 1
        assert not torch.allclose(generator.synthesize(other), images, atol=1e-3)


def test_noise_begins_switched_off_and_is_one_plane_a_layer() -> None:
    generator, z = make(mixing=0.0), torch.randn(3, 6)
    quiet = generator(z)
    torch.testing.assert_close(generator.synthesize(generator.styles(z)), quiet)
    layer, keys = generator.layers[1], keys_of(z)
    with torch.no_grad():
        layer.noise_strength += 0.7
    x, w = torch.randn(3, 8, 4, 4), torch.randn(3, 12)
    silent = layer.convolution(x, w)
    added = layer(x, w, keys)
    plane = keyed_normal(keys, layer.purpose, 8, 8)[:, None]
    expected = torch.nn.functional.leaky_relu(silent + 0.7 * plane, 0.2) * math.sqrt(2)
    torch.testing.assert_close(added, expected)
    assert not torch.allclose(generator(z), quiet, atol=1e-3)
    planes = [one.noise.flatten()[:16] for one in generator.layers]
    assert len({tuple(plane.tolist()) for plane in planes}) == 5


def test_training_draws_by_the_latent_alone() -> None:
    generator, z = make(noisy=True), torch.randn(8, 6)
    torch.manual_seed(1)
    images = generator(z)
    torch.manual_seed(2)
    torch.testing.assert_close(generator(z), images)
    torch.testing.assert_close(torch.cat([generator(z[:3]), generator(z[3:])]), images)
    twice = generator.synthesize(generator.styles(z), keys_of(z.flip(0)))
    assert not torch.allclose(twice, images, atol=1e-3)


def test_in_eval_mode_an_image_is_a_smooth_function_of_the_latent() -> None:
    generator, z = make(noisy=True).eval(), torch.randn(4, 6)
    images = generator(z)
    torch.testing.assert_close(generator(z[2:3])[0], images[2])
    assert (generator(z + 1e-5) - images).abs().max() < 1e-3
    generator.train()
    assert (generator(z + 1e-5) - generator(z)).abs().max() > 0.1
    other = make(noisy=True, seed=5)
    for one, same in zip(other.layers, generator.layers, strict=True):
        assert torch.equal(one.noise, same.noise), "it needs no place in a checkpoint"
    assert not [name for name in generator.state_dict() if name.endswith(".noise")]


def test_style_mixing() -> None:
    generator = make(32, mixing=0.9)
    z = torch.randn(4000, 6)
    own = generator.mapping(z)
    styles = generator.styles(z)
    is_own = (styles == own[:, None]).all(2)  # [B, 8]
    assert is_own[:, 0].all()
    assert ((is_own[:, 1:].int() - is_own[:, :-1].int()) <= 0).all(), "up to a layer, and not after it"
    cutoff = is_own.sum(1)
    assert (cutoff == 8).float().mean().item() == pytest.approx(0.1, abs=0.02)
    for layer in range(1, 8):
        assert (cutoff == layer).float().mean().item() == pytest.approx(0.9 / 7, abs=0.025)
    mixed = cutoff < 8
    others = styles[mixed, 7]
    assert len(others.unique(dim=0)) == len(others), "another for each sample"
    torch.testing.assert_close(others.mean(0), own.mean(0), rtol=0, atol=0.1)
    assert torch.equal(generator.eval().styles(z), own[:, None].expand(-1, 8, -1))
    assert torch.equal(make(32, mixing=0.0).styles(z)[:, 3], make(32).mapping(z))


def test_the_mean_style_and_truncation() -> None:
    generator = make()
    z = torch.randn(6, 6)
    with torch.no_grad():
        w = generator.mapping(z)
    generator(z[:2])
    generator(z[2:4])
    assert generator.w_avg.tolist() == [0] * 12, "it moves with the optimizer"
    generator.after_step()
    torch.testing.assert_close(generator.w_avg, 0.005 * w[:4].mean(0))
    generator.after_step()
    torch.testing.assert_close(generator.w_avg, 0.005 * w[:4].mean(0))
    generator(z[4:])
    generator.after_step()
    expected = 0.995 * 0.005 * w[:4].mean(0) + 0.005 * w[4:].mean(0)
    torch.testing.assert_close(generator.w_avg, expected)
    generator.eval()
    generator(z)
    generator.after_step()
    torch.testing.assert_close(generator.w_avg, expected)

    def images(styles: torch.Tensor) -> torch.Tensor:
        return generator.synthesize(styles[:, None].expand(-1, 6, -1)).clamp(-1, 1)

    torch.testing.assert_close(generator(z, truncation=0.7), images(expected + 0.7 * (w - expected)))
    torch.testing.assert_close(generator(z, truncation=1.0), generator(z))
    torch.testing.assert_close(generator(z, truncation=0.0)[3], images(expected[None])[0])
    with pytest.raises(OptionError, match="0 or more"):
        generator(z, truncation=-0.1)


def test_each_image_has_its_class() -> None:
    generator, z = make(8, num_classes=3), torch.randn(3, 6)
    images = generator(z, torch.tensor([0, 2, 1]))
    torch.testing.assert_close(generator(z, torch.tensor([0, 0, 1]))[[0, 2]], images[[0, 2]])
    assert not torch.allclose(generator(z, torch.tensor([0, 0, 1]))[1], images[1])
    with pytest.raises(ValueError, match="label=None"):
        generator(z)


def test_every_parameter_learns() -> None:
    generator = make(num_classes=3)
    generator(torch.randn(8, 6), torch.arange(8) % 3).square().sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("channels", None, "makes images"),
        ("image_size", 30, "times a power of two"),
        ("latent_dim", 0, "at least 1"),
        ("w_dim", 0, "at least 1"),
        ("mapping_layers", 0, "at least 1"),
        ("channel_base", 16, "at least 32"),
        ("channel_max", 0, "at least 1"),
        ("mixing", 1.1, "from 0 to 1"),
        ("mixing", -0.1, "from 0 to 1"),
        ("num_classes", 1, "at least 2"),
    ],
)
def test_options_are_checked(option: str, value: object, reason: str) -> None:
    options = {"latent_dim": 4, "channels": 1, "image_size": 32} | {option: value}
    with torch.device("meta"), pytest.raises(OptionError, match=reason) as error:
        StyleGenerator(**options)
    assert error.value.option == option

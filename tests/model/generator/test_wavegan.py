from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from ganvas.errors import OptionError
from ganvas.model.generator.wavegan import WaveGANGenerator


def make(**options: object) -> WaveGANGenerator:
    torch.manual_seed(0)
    given = {"latent_dim": 5, "sample_shape": [1, 96], "base_channels": 2, "strides": [4, 4]}
    return WaveGANGenerator(**(given | options))


def test_the_papers_layers_and_parameters() -> None:
    with torch.device("meta"):
        generator = WaveGANGenerator(100, [1, 16384])
        assert generator(torch.empty(2, 100)).shape == (2, 1, 16384)
    d, dense = 64, 100 * 16384 + 16384
    widths = [16 * d, 8 * d, 4 * d, 2 * d, d, 1]
    convolutions = [25 * a * b + b for a, b in pairwise(widths)]
    assert sum(parameter.numel() for parameter in generator.parameters()) == dense + sum(convolutions)
    assert dense + sum(convolutions) == 19_065_345
    made = [one for one in generator.layers if isinstance(one, nn.ConvTranspose1d)]
    assert [one.out_channels for one in made] == widths[1:]
    assert not any(isinstance(one, nn.modules.batchnorm._BatchNorm) for one in generator.modules())


@pytest.mark.parametrize(("channels", "length", "strides"), [(1, 96, [4, 4]), (2, 30, [5, 3]), (1, 4, [2])])
def test_shapes_and_range(channels: int, length: int, strides: list[int]) -> None:
    generator = make(sample_shape=[channels, length], strides=strides)
    sounds = generator(3 * torch.randn(4, 5))
    assert sounds.shape == (4, channels, length)
    assert -1 < sounds.min() < 0 < sounds.max() < 1


def test_samples_differ_by_latent_and_class() -> None:
    generator, z = make(num_classes=3), torch.randn(1, 5).expand(2, -1)
    first, second = generator(z, torch.tensor([0, 2]))
    assert not torch.allclose(first, second)
    with pytest.raises(ValueError, match="label=None"):
        generator(z)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("latent_dim", 0),
        ("sample_shape", [1, 8, 8]),
        ("sample_shape", [1, 90]),
        ("base_channels", 0),
        ("strides", [1]),
        ("num_classes", 1),
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        make(**{option: value})
    assert error.value.option == option

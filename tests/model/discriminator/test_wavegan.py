from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from ganvas.errors import OptionError
from ganvas.model.critic import Critic
from ganvas.model.discriminator.wavegan import WaveGANDiscriminator
from ganvas.model.head.plain import PlainHead
from ganvas.model.layers.wavegan import PhaseShuffle


def make(**options: object) -> WaveGANDiscriminator:
    torch.manual_seed(0)
    given = {"sample_shape": [1, 96], "base_channels": 2, "strides": [4, 4]}
    return WaveGANDiscriminator(**(given | options))


def test_the_papers_layers_and_parameters() -> None:
    with torch.device("meta"):
        network = WaveGANDiscriminator([1, 16384])
        critic = Critic(network, PlainHead(network.feature_dim))
        assert critic.eval()(torch.empty(2, 1, 16384)).shape == (2,)
    d = 64
    widths = [1, d, 2 * d, 4 * d, 8 * d, 16 * d]
    convolutions = [25 * a * b + b for a, b in pairwise(widths)]
    assert sum(parameter.numel() for parameter in critic.parameters()) == sum(convolutions) + 16384 + 1
    assert sum(convolutions) + 16384 + 1 == 17_427_969
    kinds = [type(one) for one in network.layers]
    stage = [nn.Conv1d, nn.LeakyReLU, PhaseShuffle]
    assert kinds == [*stage * 4, nn.Conv1d, nn.LeakyReLU, nn.Flatten]  # no shuffle behind the last
    assert all(one.negative_slope == 0.2 for one in network.layers if isinstance(one, nn.LeakyReLU))
    assert all(one.n == 2 for one in network.layers if isinstance(one, PhaseShuffle))


def test_shapes() -> None:
    network = make(sample_shape=[2, 30], strides=[5, 3], phase_shuffle=1)
    assert network.feature_dim == 2 * 2 * 2
    assert network(torch.randn(4, 2, 30)).shape == (4, 8)
    with pytest.raises(ValueError, match=r"takes \[B, 2, 30\]"):
        network(torch.randn(4, 2, 45))


def test_shuffles_are_of_training_alone() -> None:
    network, x = make(), torch.randn(4, 1, 96)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))
    fixed = make(phase_shuffle=0)
    assert torch.equal(fixed(x), fixed.eval()(x))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sample_shape", [1, 8, 8]),
        ("sample_shape", [1, 90]),
        ("base_channels", 0),
        ("strides", [1]),
        ("phase_shuffle", -1),
        ("phase_shuffle", 24),  # steps of the map that it would move
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    make(phase_shuffle=23)
    with pytest.raises(OptionError) as error:
        make(**{option: value})
    assert error.value.option == option

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ganvas.errors import OptionError
from ganvas.model.critic import Critic
from ganvas.model.discriminator.multi_scale_stft import MultiScaleSTFTDiscriminator, spectrum_map
from ganvas.model.freezing import layers_from_input
from ganvas.model.head.plain import PlainHead


def make(**options: object) -> MultiScaleSTFTDiscriminator:
    torch.manual_seed(0)
    given = {"sample_shape": [1, 320], "base_channels": 3, "windows": [64, 32]}
    return MultiScaleSTFTDiscriminator(**(given | options))


def test_a_spectrum_is_real_and_imaginary_parts_of_each_frame() -> None:
    torch.manual_seed(0)
    x, window, hop = torch.randn(2, 2, 37, dtype=torch.float64), 16, 4
    found = spectrum_map(x, window)
    assert found.shape == (2, 4, 1 + 37 // hop, 8)
    hann = [0.5 - 0.5 * math.cos(2 * math.pi * n / window) for n in range(window)]
    scale = math.sqrt(sum(w * w for w in hann))
    for channel, frame, frequency in ((0, 0, 0), (1, 3, 5), (0, 9, 7)):
        total = 0j
        for n, w in enumerate(hann):
            place = frame * hop - window // 2 + n
            angle = -2 * math.pi * frequency * n / window
            value = float(x[1, channel, place]) if 0 <= place < 37 else 0.0
            total += w * value * complex(math.cos(angle), math.sin(angle)) / scale
        real, imaginary = found[1, 2 * channel : 2 * channel + 2, frame, frequency].tolist()
        assert real == pytest.approx(total.real, abs=1e-9)
        assert imaginary == pytest.approx(total.imag, abs=1e-9)


def test_encodecs_layers() -> None:
    with torch.device("meta"):
        network = MultiScaleSTFTDiscriminator([1, 24000], windows=[2048])
    layers = [
        (one.in_channels, one.out_channels, one.kernel_size, one.stride, one.dilation)
        for one in network.modules()
        if isinstance(one, nn.Conv2d)
    ]
    strided = [(32, 32, (3, 9), (1, 2), (dilation, 1)) for dilation in (1, 2, 4)]
    assert layers == [
        (2, 32, (3, 9), (1, 1), (1, 1)),
        *strided,
        (32, 32, (3, 3), (1, 1), (1, 1)),
    ]


def test_all_windows_are_one_map_of_places() -> None:
    network, x = make(), torch.randn(2, 1, 320)
    critic = Critic(network, PlainHead(network.feature_dim))
    critic.check(x)
    # frames x frequencies / 8 of each window
    places = (1 + 320 // 16) * 4, (1 + 320 // 8) * 2
    assert network(x).shape == (2, 3, sum(places), 1)
    assert critic(x).shape == (2, sum(places), 1)
    alone = make(windows=[64])
    held = {name: value for name, value in network.state_dict().items() if "convolutions.0" in name}
    alone.load_state_dict(held)
    torch.testing.assert_close(network(x)[:, :, : places[0]], alone(x))
    with pytest.raises(ValueError, match=r"takes \[B, 1, 320\]"):
        network(torch.randn(2, 1, 100))


def test_its_layers_are_those_of_all_windows() -> None:
    network = make()
    layers = layers_from_input(network)
    assert [len(one) for one in layers] == [1] * 5
    assert [len(list(one[0].parameters())) for one in layers] == [6] * 5  # g, v and bias of two windows
    made = layers[1][0]([torch.randn(2, 3, 9, 32), torch.randn(2, 3, 17, 16)])
    assert [one.shape for one in made] == [(2, 3, 9, 16), (2, 3, 17, 8)]


def test_a_gradient_penalty_can_be_taken() -> None:
    critic = Critic(network := make(), PlainHead(network.feature_dim))
    x = torch.randn(2, 1, 320, requires_grad=True)
    (gradient,) = torch.autograd.grad(critic(x).mean((1, 2)).sum(), x, create_graph=True)
    gradient.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in critic.parameters())
    assert any(p.grad is not None and p.grad.any() for p in network.parameters())


@pytest.mark.parametrize(
    ("option", "value"),
    [("sample_shape", [1, 8, 8]), ("base_channels", 0), ("windows", []), ("windows", [64, 24])],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        make(**{option: value})
    assert error.value.option == option

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganvas.errors import OptionError
from ganvas.model.decoder.conv1d import Conv1dDecoder
from ganvas.model.encoder.conv1d import Conv1dEncoder


def make(**options: object) -> Conv1dDecoder:
    torch.manual_seed(0)
    given = {"sample_shape": [1, 57], "embedding_dim": 5, "base_channels": 4, "strides": [2, 3]}
    return Conv1dDecoder(**(given | options))


@pytest.mark.parametrize("channels", [1, 2])
def test_shapes(channels: int) -> None:
    decoder = make(sample_shape=[channels, 57])
    assert decoder(torch.randn(3, 5, 10)).shape == (3, channels, 57)  # cut to the samples' length
    assert decoder(torch.randn(3, 5, 11)).shape == (3, channels, 66)
    assert decoder(torch.randn(3, 5, 1)).shape == (3, channels, 6)


def test_what_is_cut_off_stands_behind() -> None:
    decoder, z = make(), torch.randn(2, 5, 10)
    assert torch.equal(decoder(z), make(sample_shape=[1, 60])(z)[:, :, :57])


def test_it_mirrors_the_encoder() -> None:
    encoder, decoder = (
        [
            (one.in_channels, one.out_channels, one.kernel_size[0], one.stride[0])
            for one in network.modules()
            if isinstance(one, nn.Conv1d | nn.ConvTranspose1d)
        ]
        for network in (Conv1dEncoder([1, 8000], 128), Conv1dDecoder([1, 8000], 128))
    )

    def strided(layers: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        return [layer for layer in layers if layer[3] > 1]

    mirrored = [(outs, ins, kernel, stride) for ins, outs, kernel, stride in reversed(strided(encoder))]
    assert strided(decoder) == mirrored
    assert decoder[0] == (128, 512, 7, 1)
    assert decoder[-1] == (32, 1, 7, 1)
    assert len(decoder) == len(encoder)


def test_the_range() -> None:
    z = 30 * torch.randn(3, 5, 10)
    bounded, free = make(output="tanh"), make()
    assert bounded.is_bounded
    assert not free.is_bounded
    assert torch.equal(bounded(z), free(z).tanh())
    assert free(z).abs().max().item() > 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sample_shape", [1, 8, 8]),
        ("embedding_dim", 0),
        ("base_channels", 0),
        ("strides", []),
        ("residual_units", -1),
        ("output", "sigmoid"),
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        make(**{option: value})
    assert error.value.option == option

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ganvas.errors import OptionError
from ganvas.model.encoder.conv import ConvEncoder

OPTIONS = {
    "channels": 3,
    "embedding_dim": 5,
    "hidden_channels": 8,
    "residual_channels": 4,
    "residual_blocks": 2,
    "downsamplings": 2,
}


@pytest.mark.parametrize("size", [8, 28, 30, 64])
@pytest.mark.parametrize("downsamplings", [1, 2, 3])
def test_shapes(size: int, downsamplings: int) -> None:
    latents = ConvEncoder(**(OPTIONS | {"downsamplings": downsamplings}))(torch.randn(2, 3, size, size))
    side = math.ceil(size / 2**downsamplings)
    assert latents.shape == (2, 5, side, side)


def test_an_image_between_sizes_is_padded_by_its_edge() -> None:
    torch.manual_seed(0)
    encoder, x = ConvEncoder(**OPTIONS), torch.randn(2, 3, 6, 9)
    rows, columns = [0, 0, 1, 2, 3, 4, 5, 5], [0, *range(9), 8, 8]
    padded = x[:, :, rows][..., columns]
    torch.testing.assert_close(encoder(x), encoder(padded))
    assert encoder(x).shape == (2, 5, 2, 3)


def test_the_authors_layers() -> None:
    encoder = ConvEncoder(channels=3, embedding_dim=64)
    layers = [
        (m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0])
        for m in encoder.modules()
        if isinstance(m, nn.Conv2d)
    ]
    block = [(128, 32, 3, 1), (32, 128, 1, 1)]
    strided = [(3, 64, 4, 2), (64, 128, 4, 2), (128, 128, 3, 1)]
    assert layers == [*strided, *block, *block, (128, 64, 1, 1)]


def test_the_range_of_the_latents_is_free() -> None:
    torch.manual_seed(0)
    latents = ConvEncoder(**OPTIONS)(torch.randn(2, 3, 8, 8))
    assert latents.min().item() < 0 < latents.max().item()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("channels", None),
        ("embedding_dim", 0),
        ("hidden_channels", 1),
        ("residual_channels", 0),
        ("residual_blocks", -1),
        ("downsamplings", 0),
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        ConvEncoder(**(OPTIONS | {option: value}))
    assert error.value.option == option

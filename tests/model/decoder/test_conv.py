from __future__ import annotations

import pytest
import torch
from torch import nn

from ganvas.errors import OptionError
from ganvas.model.decoder.conv import ConvDecoder

OPTIONS = {
    "channels": 3,
    "embedding_dim": 5,
    "hidden_channels": 8,
    "residual_channels": 4,
    "residual_blocks": 2,
    "upsamplings": 2,
}


@pytest.mark.parametrize(("height", "width"), [(2, 3), (7, 7)])
@pytest.mark.parametrize("upsamplings", [1, 2, 3])
def test_shapes(height: int, width: int, upsamplings: int) -> None:
    images = ConvDecoder(**(OPTIONS | {"upsamplings": upsamplings}))(torch.randn(2, 5, height, width))
    assert images.shape == (2, 3, height * 2**upsamplings, width * 2**upsamplings)


def test_the_authors_layers() -> None:
    decoder = ConvDecoder(channels=3, embedding_dim=64)
    layers = [
        (type(m) is nn.ConvTranspose2d, m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0])
        for m in decoder.modules()
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)
    ]
    block = [(False, 128, 32, 3, 1), (False, 32, 128, 1, 1)]
    assert layers == [(False, 64, 128, 3, 1), *block, *block, (True, 128, 64, 4, 2), (True, 64, 3, 4, 2)]


def test_images_are_cut_to_the_samples_size() -> None:
    torch.manual_seed(0)
    whole = ConvDecoder(**OPTIONS)
    decoder = ConvDecoder(**OPTIONS, sample_shape=[3, 6, 9])
    decoder.load_state_dict(whole.state_dict())
    z = torch.randn(2, 5, 2, 3)
    torch.testing.assert_close(decoder(z), whole(z)[:, :, 1:7, 1:10])  # of 8 x 12
    with pytest.raises(ValueError, match=r"\[2, 5, 3, 2\] where the network takes \[B, 5, 2, 3\]"):
        decoder(z.mT)
    with pytest.raises(OptionError) as error:
        ConvDecoder(**OPTIONS, sample_shape=[1, 6, 9])
    assert error.value.option == "channels"


def test_a_tanh_keeps_images_in_range() -> None:
    torch.manual_seed(0)
    linear, bounded = ConvDecoder(**OPTIONS), ConvDecoder(**OPTIONS, output="tanh")
    bounded.load_state_dict(linear.state_dict())
    z = torch.randn(2, 5, 4, 4)
    torch.testing.assert_close(bounded(z), linear(z).tanh())
    assert (bounded.is_bounded, linear.is_bounded) == (True, False)


def test_the_output_is_linear() -> None:
    torch.manual_seed(0)
    images = ConvDecoder(**OPTIONS)(1000 * torch.randn(2, 5, 4, 4))
    assert images.min().item() < -1
    assert images.max().item() > 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("channels", None),
        ("embedding_dim", 0),
        ("hidden_channels", 1),
        ("residual_channels", 0),
        ("residual_blocks", -1),
        ("upsamplings", 0),
        ("output", "sigmoid"),
        ("sample_shape", [2]),
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        ConvDecoder(**(OPTIONS | {option: value}))
    assert error.value.option == option

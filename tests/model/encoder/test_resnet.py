from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.encoder.resnet import ResNetEncoder
from ganvas.model.layers.vqgan import Halving, MapAttention, ResidualBlock

OPTIONS = {"sample_shape": [3, 12, 12], "embedding_dim": 5, "base_channels": 8, "multipliers": [1, 2, 3]}


def test_a_published_size() -> None:
    """Stable Diffusion's autoencoder (Rombach 2022): attention in the middle alone, 4 means, 4 variances."""
    with torch.device("meta"):
        encoder = ResNetEncoder([3, 256, 256], embedding_dim=8, multipliers=[1, 2, 4, 4])
    assert sum(p.numel() for p in encoder.parameters()) == 34_163_592


@pytest.mark.parametrize(("height", "width"), [(12, 12), (9, 14), (1, 3)])
def test_shapes(height: int, width: int) -> None:
    encoder = ResNetEncoder(**(OPTIONS | {"sample_shape": [3, height, width]}))
    assert encoder(torch.randn(2, 3, height, width)).shape == (2, 5, -(-height // 4), -(-width // 4))


def test_what_is_missing_is_padded_by_the_edge() -> None:
    torch.manual_seed(0)
    encoder, x = ResNetEncoder(**OPTIONS), torch.randn(2, 3, 10, 11)
    padded = x[:, :, [0, *range(10), 9]][..., [*range(11), 10]]
    torch.testing.assert_close(encoder(x), encoder(padded))


def test_layers_in_their_order() -> None:
    encoder = ResNetEncoder(**OPTIONS, blocks=1, attention_at=[6], latent_channels=7)
    names = [
        type(m).__name__ for m in encoder.layers if isinstance(m, ResidualBlock | MapAttention | Halving)
    ]
    block, attention = "ResidualBlock", "MapAttention"
    assert names == [
        *(block, "Halving", block, attention, "Halving", block),
        *(block, attention, block),
    ]
    last, to_latents = encoder.layers[-2:]
    assert (last.in_channels, last.out_channels, last.kernel_size) == (24, 7, (3, 3))
    assert (to_latents.in_channels, to_latents.out_channels, to_latents.kernel_size) == (7, 5, (1, 1))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sample_shape", [2]),
        ("embedding_dim", 0),
        ("base_channels", 0),
        ("multipliers", []),
        ("multipliers", [1, 0]),
        ("blocks", 0),
        ("attention_at", [5]),
        ("latent_channels", 0),
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        ResNetEncoder(**(OPTIONS | {option: value}))
    assert error.value.option == option

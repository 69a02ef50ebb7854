from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.decoder.resnet import ResNetDecoder
from ganvas.model.layers.vqgan import Doubling, MapAttention, ResidualBlock

OPTIONS = {"sample_shape": [3, 12, 12], "embedding_dim": 5, "base_channels": 8, "multipliers": [1, 2, 3]}


def test_a_published_size() -> None:
    """Stable Diffusion's autoencoder (Rombach 2022): attention in the middle alone, 4 latent channels."""
    with torch.device("meta"):
        decoder = ResNetDecoder([3, 256, 256], embedding_dim=4, multipliers=[1, 2, 4, 4])
    assert sum(p.numel() for p in decoder.parameters()) == 49_490_179


@pytest.mark.parametrize(("height", "width"), [(12, 12), (9, 14), (1, 3)])
def test_images_are_as_large_as_samples(height: int, width: int) -> None:
    torch.manual_seed(0)
    decoder = ResNetDecoder(**(OPTIONS | {"sample_shape": [3, height, width]}))
    z = torch.randn(2, 5, -(-height // 4), -(-width // 4))
    images, whole = decoder(z), decoder.layers(z)
    assert images.shape == (2, 3, height, width)
    top, left = (whole.shape[2] - height) // 2, (whole.shape[3] - width) // 2
    assert torch.equal(images, whole[:, :, top:, left:][:, :, :height, :width])


def test_layers_in_their_order() -> None:
    decoder = ResNetDecoder(**OPTIONS, blocks=1, attention_at=[6], latent_channels=7, output="tanh")
    names = [
        type(m).__name__ for m in decoder.layers if isinstance(m, ResidualBlock | MapAttention | Doubling)
    ]
    block, attention = "ResidualBlock", "MapAttention"
    assert names == [
        *(block, attention, block),
        *(block, block, "Doubling", block, attention, block, attention, "Doubling", block, block),
    ]
    from_latents, first = decoder.layers[:2]
    assert (from_latents.in_channels, from_latents.out_channels, from_latents.kernel_size) == (5, 7, (1, 1))
    assert (first.in_channels, first.out_channels, first.kernel_size) == (7, 24, (3, 3))
    assert decoder.is_bounded
    assert decoder(100 * torch.randn(2, 5, 3, 3)).abs().max() <= 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sample_shape", [2]),
        ("embedding_dim", 0),
        ("base_channels", 0),
        ("multipliers", []),
        ("blocks", 0),
        ("attention_at", [5]),
        ("latent_channels", 0),
        ("output", "relu"),
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        ResNetDecoder(**(OPTIONS | {option: value}))
    assert error.value.option == option

from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.decoder.vit import ViTDecoder

OPTIONS = {"sample_shape": [3, 10, 7], "embedding_dim": 5, "width": 12, "depth": 2, "heads": 3}


def test_a_grid_of_latents_is_its_formula() -> None:
    torch.manual_seed(0)
    decoder, z = ViTDecoder(**OPTIONS), torch.randn(2, 5, 3, 2)
    latents = z.permute(0, 2, 3, 1).reshape(2, 6, 5)
    seen = decoder.transformer(decoder.from_latents(latents) + decoder.positions)
    pixels = decoder.to_pixels(seen).reshape(2, 3, 2, 3, 4, 4)  # [B, h, w, C, row, column]
    whole = pixels.permute(0, 3, 1, 4, 2, 5).reshape(2, 3, 12, 8)
    torch.testing.assert_close(decoder(z), whole[:, :, 1:11, :7])


def test_tokens_reach_every_pixel() -> None:
    torch.manual_seed(0)
    decoder, z = ViTDecoder(**OPTIONS, tokens=4), torch.randn(2, 5, 4)
    images = decoder(z)
    assert images.shape == (2, 3, 10, 7)
    z[:, :, 2] += 1
    assert (decoder(z) - images).abs().amax((0, 1)).gt(0).all()
    assert not torch.allclose(decoder(z.flip(2)), decoder(z)), "a token is told from another by its number"


@pytest.mark.parametrize("tokens", [None, 4])
def test_every_parameter_learns(tokens: int | None) -> None:
    torch.manual_seed(0)
    decoder = ViTDecoder(**OPTIONS, tokens=tokens)
    decoder(torch.randn(2, 5, *([3, 2] if tokens is None else [4]))).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in decoder.parameters())


def test_a_tanh_keeps_images_in_range() -> None:
    torch.manual_seed(0)
    linear, bounded = ViTDecoder(**OPTIONS), ViTDecoder(**OPTIONS, output="tanh")
    bounded.load_state_dict(linear.state_dict())
    z = torch.randn(2, 5, 3, 2)
    torch.testing.assert_close(bounded(z), linear(z).tanh())
    assert (bounded.is_bounded, linear.is_bounded) == (True, False)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sample_shape", [2]),
        ("embedding_dim", 0),
        ("patch_size", 0),
        ("width", 0),
        ("depth", 0),
        ("heads", 5),
        ("mlp_ratio", 0),
        ("tokens", 0),
        ("output", "relu"),
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        ViTDecoder(**(OPTIONS | {option: value}))
    assert error.value.option == option

from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.encoder.vit import ViTEncoder

OPTIONS = {"sample_shape": [3, 10, 7], "embedding_dim": 5, "width": 12, "depth": 2, "heads": 3}


def test_a_grid_of_latents_is_its_formula() -> None:
    torch.manual_seed(0)
    encoder, x = ViTEncoder(**OPTIONS), torch.randn(2, 3, 10, 7)
    padded = x[:, :, [0, *range(10), 9]][..., [*range(7), 6]]  # 12 x 8
    weight, bias = encoder.patches.weight.flatten(1), encoder.patches.bias
    squares = padded.unfold(2, 4, 4).unfold(3, 4, 4)  # [B, C, h, w, 4, 4]
    squares = squares.permute(0, 2, 3, 1, 4, 5).reshape(2, 6, 48)
    seen = encoder.transformer(squares @ weight.T + bias + encoder.positions)
    latents = encoder.to_latents(seen).reshape(2, 3, 2, 5).permute(0, 3, 1, 2)
    torch.testing.assert_close(encoder(x), latents)


def test_tokens_are_latents_of_no_place() -> None:
    torch.manual_seed(0)
    encoder, x = ViTEncoder(**OPTIONS, tokens=4), torch.randn(2, 3, 10, 7)
    latents = encoder(x)
    assert latents.shape == (2, 5, 4)
    assert ((latents - latents[:, :, :1]).abs().amax((0, 1))[1:] > 0).all()
    with torch.no_grad():
        encoder.tokens[1:] = encoder.tokens[0]
    alike = encoder(x)
    torch.testing.assert_close(alike, alike[:, :, :1].expand(-1, -1, 4))  # they differ by their vectors alone
    x[:, :, 9, 6] += 1
    assert ((encoder(x) - alike).abs().amax((0, 1)) > 0).all(), "each sees every pixel"


@pytest.mark.parametrize("tokens", [None, 4])
def test_every_parameter_learns(tokens: int | None) -> None:
    torch.manual_seed(0)
    encoder = ViTEncoder(**OPTIONS, tokens=tokens)
    encoder(torch.randn(2, 3, 10, 7)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in encoder.parameters())


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
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        ViTEncoder(**(OPTIONS | {option: value}))
    assert error.value.option == option

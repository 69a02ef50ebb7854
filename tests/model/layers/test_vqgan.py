from __future__ import annotations

import pytest
import torch
from torch.nn.functional import conv2d, group_norm, interpolate, pad

from ganvas.errors import OptionError
from ganvas.model.layers.vqgan import Doubling, Halving, MapAttention, ResidualBlock, stages_of


def swish(x: torch.Tensor) -> torch.Tensor:
    return x / (1 + (-x).exp())


@pytest.mark.parametrize("outputs", [8, 12])
def test_a_residual_block_is_its_formula(outputs: int) -> None:
    torch.manual_seed(0)
    block, x = ResidualBlock(8, outputs).double(), torch.randn(2, 8, 5, 3, dtype=torch.float64)
    p = dict(block.named_parameters())
    branch = swish(group_norm(x, 8, p["norm1.weight"], p["norm1.bias"], 1e-6))
    branch = conv2d(branch, p["conv1.weight"], p["conv1.bias"], padding=1)
    branch = swish(group_norm(branch, {8: 8, 12: 4}[outputs], p["norm2.weight"], p["norm2.bias"], 1e-6))
    branch = conv2d(branch, p["conv2.weight"], p["conv2.bias"], padding=1)
    beside = x if outputs == 8 else conv2d(x, p["shortcut.weight"], p["shortcut.bias"])
    torch.testing.assert_close(block(x), beside + branch)


def test_attention_is_its_formula() -> None:
    torch.manual_seed(0)
    layer, x = MapAttention(6).double(), torch.randn(2, 6, 3, 4, dtype=torch.float64)
    normed = group_norm(x, 2, eps=1e-6)
    query, key, value = (one(normed).flatten(2) for one in (layer.query, layer.key, layer.value))
    shares = torch.einsum("bcq,bck->bqk", query, key).div(6**0.5).softmax(2)
    seen = torch.einsum("bqk,bck->bcq", shares, value).view(2, 6, 3, 4)
    torch.testing.assert_close(layer(x), x + layer.out(seen))


def test_halving_and_doubling() -> None:
    torch.manual_seed(0)
    down, up, x = Halving(3), Doubling(3), torch.randn(2, 3, 6, 4)
    padded = pad(x, (0, 1, 0, 1))
    torch.testing.assert_close(down(x), conv2d(padded, down.conv.weight, down.conv.bias, stride=2))
    assert down(x).shape == (2, 3, 3, 2)
    nearest = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(nearest, interpolate(x, scale_factor=2))
    torch.testing.assert_close(up(x), conv2d(nearest, up.conv.weight, up.conv.bias, padding=1))


def test_maps_after_padding() -> None:
    grid, stages = stages_of([3, 20, 30], 16, [1, 3, 2], 2, [16, 8])
    assert grid.sides == (5, 8)
    assert stages == [(16, False), (48, True), (32, True)]
    with pytest.raises(OptionError, match=r"attention_at=\[15\]: has no map of side 15; there are 8, 16, 32"):
        stages_of([3, 20, 30], 16, [1, 3, 2], 2, [15])


def test_one_pixel_of_channels_that_are_alone_in_their_groups_is_refused() -> None:
    """A norm makes 0 of each such channel, and all images have the same latents."""
    with pytest.raises(OptionError, match=r"multipliers=\[1, 2, 2\]: shrink an image to one pixel, .* 16 ch"):
        stages_of([1, 4, 3], 8, [1, 2, 2], 1, [])
    stages_of([1, 4, 3], 24, [1, 2, 2], 1, [])  # 48 channels in 16 groups of 3
    stages_of([1, 4, 5], 8, [1, 2, 2], 1, [])

from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.layers.attention import SelfAttention2d


def test_it_begins_as_the_identity() -> None:
    x = torch.randn(2, 8, 6, 4)
    assert torch.equal(SelfAttention2d(8)(x), x)


def test_it_is_its_formula() -> None:
    torch.manual_seed(0)
    layer, x = SelfAttention2d(16), torch.randn(2, 16, 4, 6)
    with torch.no_grad():
        layer.sigma.fill_(0.7)
    made = layer(x)
    for sample, expected in zip(x, made, strict=True):
        flat = sample.flatten(1)  # [16, 24]
        query = layer.query.weight[:, :, 0, 0] @ flat  # [2, 24]
        pooled = []
        for weight in (layer.key.weight, layer.value.weight):
            value = (weight[:, :, 0, 0] @ flat).view(-1, 2, 2, 3, 2)  # rows, columns as pairs
            pooled.append(value.amax((2, 4)).flatten(1))  # [C', 6]
        share = (query.T @ pooled[0]).softmax(1)  # [24, 6]
        out = layer.out.weight[:, :, 0, 0] @ (pooled[1] @ share.T)
        torch.testing.assert_close(expected, sample + 0.7 * out.view_as(sample))


def test_channels_are_a_multiple_of_8() -> None:
    with pytest.raises(OptionError, match="a multiple of 8"):
        SelfAttention2d(12)

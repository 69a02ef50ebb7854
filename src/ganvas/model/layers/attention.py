"""Self-attention over the places of a map (SAGAN: Zhang 2019, arXiv:1805.08318; BigGAN's form of it)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, scaled_dot_product_attention

from ganvas.errors import require


class SelfAttention2d(nn.Module):
    """x + sigma o(attention), with a scalar sigma that begins at 0, so that the layer begins as the identity.

    Queries and keys have C / 8 channels, values C / 2; keys and values are pooled to half the side, and
    nothing is divided by the root of the width, as in the authors' code.

    Args:
        channels: C, a multiple of 8.
        wrap: what is done to each of its convolutions, e.g. spectral norm.

    Raises:
        OptionError: ``attention_at`` where C is no multiple of 8.
    """

    def __init__(self, channels: int, wrap: Callable[[nn.Module], nn.Module] = lambda layer: layer) -> None:
        super().__init__()
        rule = f"needs a multiple of 8 channels there, and the map has {channels}; widths=[...] sets them"
        require(channels % 8 == 0, "attention_at", channels, rule)
        self.query = wrap(_conv1x1(channels, channels // 8))
        self.key = wrap(_conv1x1(channels, channels // 8))
        self.value = wrap(_conv1x1(channels, channels // 2))
        self.out = wrap(_conv1x1(channels // 2, channels))
        self.sigma = nn.Parameter(torch.zeros(1))  # no scalar, for fsdp takes none

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W], H and W at least 2, to the same shape."""
        batch, _, height, width = x.shape
        query = self.query(x).flatten(2).mT  # [B, H W, C / 8]
        key = max_pool2d(self.key(x), 2).flatten(2).mT  # [B, H W / 4, C / 8]
        value = max_pool2d(self.value(x), 2).flatten(2).mT  # [B, H W / 4, C / 2]
        # of one head, [B, 1, ...], as ONNX's exporter takes it
        query, key, value = (one.unsqueeze(1) for one in (query, key, value))
        seen = scaled_dot_product_attention(query, key, value, scale=1.0)[:, 0]  # [B, H W, C / 2]
        return x + self.sigma * self.out(seen.mT.reshape(batch, -1, height, width))


def _conv1x1(inputs: int, outputs: int) -> nn.Conv2d:
    convolution = nn.Conv2d(inputs, outputs, 1, bias=False)
    nn.init.xavier_uniform_(convolution.weight)
    return convolution

"""Transformers that normalize before each branch (Dosovitskiy 2021, arXiv:2010.11929, equations 2 and 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from ganvas.errors import require
from ganvas.model.layers.basic import require_positive


class SelfAttention(nn.Module):
    """Every vector sees every other one, by several heads.

    Args:
        width: length of a vector.
        heads: of which each has width / heads of it.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, width] to the same shape."""
        made = self.to_query_key_value(x).unflatten(2, (3, self.heads, -1))  # [B, N, 3, heads, width / heads]
        query, key, value = made.permute(2, 0, 3, 1, 4).unbind()  # [B, heads, N, width / heads]
        seen = scaled_dot_product_attention(query, key, value)
        return self.out(seen.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """x + attention(norm x), then x + MLP(norm x), the MLP with one hidden layer and GELU.

    Args:
        width: length of a vector.
        heads: of the attention.
        mlp_ratio: hidden units are so many times the width.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: int = 4) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), SelfAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, mlp_ratio * width), nn.Linear(mlp_ratio * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, width] to the same shape."""
        x = x + self.attention(self.norm1(x))
        return x + self.narrow(gelu(self.widen(self.norm2(x))))


class Transformer(nn.Module):
    """``depth`` blocks and a last norm.

    Raises:
        OptionError: a size below 1, or heads that do not divide the width.
    """

    def __init__(self, width: int, depth: int, heads: int, mlp_ratio: int = 4) -> None:
        super().__init__()
        for option, value in {"width": width, "depth": depth, "heads": heads, "mlp_ratio": mlp_ratio}.items():
            require_positive(option, value)
        require(width % heads == 0, "heads", heads, f"must divide the width, {width}")
        self.blocks = nn.Sequential(*(Block(width, heads, mlp_ratio) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, width] to the same shape."""
        return self.norm(self.blocks(x))


def learned_vectors(number: int, width: int) -> nn.Parameter:
    """Vectors [number, width] that are learned, e.g. positions; from N(0, 0.02^2) cut at two deviations."""
    vectors = nn.Parameter(torch.empty(number, width))
    _normal_(vectors)
    return vectors


def initialize_transformer(network: nn.Module) -> None:
    """Every weight of a linear layer or of patches from N(0, 0.02^2) cut at two deviations; biases zero."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            _normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _normal_(values: Tensor) -> None:
    nn.init.trunc_normal_(values, std=0.02, a=-0.04, b=0.04)

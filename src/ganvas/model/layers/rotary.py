"""Attention with rotary positions in two dimensions, and blocks of it that keep what they have seen.

Rotary positions: Su 2021, arXiv:2104.09864, equation 34; a half of the dimensions for rows and the other for
columns: Heo 2024, arXiv:2403.13298, equation 12.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, gelu, scaled_dot_product_attention


def turns(coordinates: Tensor, head_size: int) -> Tensor:
    """Angles float32 [N, head_size / 2] of places [N, 2]: the first half of rows, the other of columns.

    The wavelengths go geometrically from 2 pi up to 2 pi times the longest side, at least 100 (Heo 2024):
    none comes round within the places.
    """
    longest = max(100.0, coordinates.max().item() + 1)
    number = head_size // 4
    frequencies = longest ** (-torch.arange(number, dtype=torch.float64) / number)
    angles = coordinates.double()[:, :, None] * frequencies  # [N, 2, head_size / 4]
    return angles.flatten(1).float()


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Vectors [..., N, d], whose i-th and (i + d/2)-th number are a pair, each turned by its angle."""
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)


@dataclass
class Seen:
    """Keys and values [B, heads, N, d] of one attention, of which those before the next element are there."""

    length: int  # N
    keys: Tensor | None = None
    values: Tensor | None = None

    def add(self, place: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Takes up [B, heads, 1, d] of element ``place``; those of all elements until this one."""
        if self.keys is None or self.values is None:
            shape = (*key.shape[:2], self.length, key.shape[3])
            self.keys, self.values = key.new_empty(shape), value.new_empty(shape)
        self.keys[:, :, place : place + 1], self.values[:, :, place : place + 1] = key, value
        return self.keys[:, :, : place + 1], self.values[:, :, : place + 1]


class RotaryAttention(nn.Module):
    """Attention whose weights know places by their differences alone.

    Args:
        width: length of a vector.
        heads: of which each has width / heads of it, a multiple of 4.
        causal: an element sees those before it and itself, not all.
    """

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.to_query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, seen: Seen | None = None, place: int = 0
    ) -> Tensor:
        """[B, N, width] to the same shape.

        Args:
            cos: [2, 1, N, width / heads / 2] of the angles of queries and of keys; ``sin`` likewise.
            seen: of the elements before ``place``, which x [B, 1, width] is; it takes x up.
        """
        made = self.to_query_key_value(x).unflatten(2, (3, self.heads, -1)).permute(0, 2, 3, 1, 4)
        query, key = turn(made[:, :2], cos, sin).unbind(1)  # [B, heads, N, width / heads]
        value = made[:, 2]
        if seen is None:
            found = scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        else:
            found = scaled_dot_product_attention(query, *seen.add(place, key, value))
        return self.out(found.transpose(1, 2).flatten(2))


class RotaryBlock(nn.Module):
    """x + attention(norm x), then x + MLP(norm x), the MLP with one hidden layer and GELU.

    Args:
        width: length of a vector.
        heads: of the attention.
        mlp_ratio: hidden units are so many times the width.
        causal: an element sees those before it and itself, not all.
        dropout: in training, the probability with which a number of a branch is set to 0.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: int, causal: bool, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.norm1, self.attention = nn.LayerNorm(width), RotaryAttention(width, heads, causal)
        self.norm2 = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, mlp_ratio * width), nn.Linear(mlp_ratio * width, width)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, seen: Seen | None = None, place: int = 0
    ) -> Tensor:
        """As its attention."""
        x = x + self._dropped(self.attention(self.norm1(x), cos, sin, seen, place))
        return x + self._dropped(self.narrow(gelu(self.widen(self.norm2(x)))))

    def _dropped(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropout, self.training) if self.dropout else x

"""What the residual encoder and decoder of VQGAN share (Esser 2021, arXiv:2012.09841, table 7)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, scaled_dot_product_attention, silu

from ganvas.errors import require
from ganvas.model.layers.basic import require_positive
from ganvas.model.layers.image_grid import ImageGrid


def group_norm(channels: int) -> nn.GroupNorm:
    """Of 32 groups, as in the authors' code, or of as many as divide both 32 and the channels."""
    return nn.GroupNorm(math.gcd(32, channels), channels, eps=1e-6)


class Swish(nn.Module):
    """x sigmoid(x)."""

    def forward(self, x: Tensor) -> Tensor:
        return silu(x)


class ResidualBlock(nn.Module):
    """Norm, swish, 3x3, norm, swish, 3x3; beside it x, or 1x1 where the channels change."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = group_norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = group_norm(outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H, W]."""
        branch = self.conv2(silu(self.norm2(self.conv1(silu(self.norm1(x))))))
        return branch + (x if self.shortcut is None else self.shortcut(x))


class MapAttention(nn.Module):
    """x + o(attention of one head over the places of a map), queries divided by the root of the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.query, self.key, self.value, self.out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same shape."""
        normed = self.norm(x)
        query, key, value = (
            layer(normed).flatten(2).mT[:, None] for layer in (self.query, self.key, self.value)
        )  # [B, 1, H W, C]
        seen = scaled_dot_product_attention(query, key, value)[:, 0]
        return x + self.out(seen.mT.unflatten(2, x.shape[2:]))


class Halving(nn.Module):
    """A 3x3 convolution of stride 2, with a row and a column of zeros behind the last ones."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W], H and W even, to [B, C, H / 2, W / 2]."""
        return self.conv(pad(x, (0, 1, 0, 1)))


class Doubling(nn.Module):
    """Each value four times, then a 3x3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C, 2 H, 2 W]."""
        return self.conv(interpolate(x, scale_factor=2.0))


def middle(channels: int) -> list[nn.Module]:
    """Residual block, attention, residual block at the smallest map."""
    return [ResidualBlock(channels, channels), MapAttention(channels), ResidualBlock(channels, channels)]


def stage(inputs: int, outputs: int, blocks: int, *, attends: bool) -> list[nn.Module]:
    """Residual blocks at one map size, attention behind each of them where it ``attends``."""
    layers: list[nn.Module] = []
    for number in range(blocks):
        layers.append(ResidualBlock(outputs if number else inputs, outputs))
        if attends:
            layers.append(MapAttention(outputs))
    return layers


def stages_of(
    sample_shape: list[int],
    base_channels: int,
    multipliers: Sequence[int],
    blocks: int,
    attention_at: Sequence[int],
) -> tuple[ImageGrid, list[tuple[int, bool]]]:
    """The grid of latents, and the channels of each map, the largest first, with whether it has attention.

    Raises:
        OptionError: data that are no images, sizes below 1, no map, a last one of a single pixel with too few
            channels for a norm, or a side of ``attention_at`` that none has.
    """
    require_positive("base_channels", base_channels)
    rule = "must name at least one map size, each by a factor of at least 1; e.g. [1, 2, 4]"
    require(len(multipliers) > 0 and min(multipliers) >= 1, "multipliers", list(multipliers), rule)
    require_positive("blocks", blocks)
    halvings = len(multipliers) - 1
    grid = ImageGrid(sample_shape, 2**halvings)
    width = base_channels * multipliers[-1]
    rule = (
        f"shrink an image to one pixel, and each of its {width} channels is alone in its group of a norm, "
        "which leaves nothing of it; name fewer, or a larger base_channels"
    )
    is_lost = grid.places == 1 and math.gcd(32, width) == width
    require(not is_lost, "multipliers", list(multipliers), rule)
    sides = [max(grid.sides) << left for left in range(halvings, -1, -1)]
    for side in attention_at:
        rule = f"has no map of side {side}; there are {', '.join(map(str, reversed(sides)))}"
        require(side in sides, "attention_at", list(attention_at), rule)
    return grid, [
        (base_channels * k, side in attention_at) for k, side in zip(multipliers, sides, strict=True)
    ]

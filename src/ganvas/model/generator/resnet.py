"""The residual generator of SNGAN (Miyato 2018, arXiv:1802.05957, appendix B), and that of SAGAN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from ganvas.errors import require
from ganvas.model.layers.attention import SelfAttention2d
from ganvas.model.layers.basic import (
    require_channels,
    require_classes,
    require_input,
    require_positive,
)
from ganvas.model.layers.conditional_batch_norm import ConditionalBatchNorm2d
from ganvas.model.layers.resnet import check_attention, check_widths, conv1x1, conv3x3, linear, wrapper

# Channels of the first map, and of each after a doubling; the papers' by image size.
WIDTHS = {
    32: (256, 256, 256, 256),
    48: (512, 256, 128, 64),
    64: (1024, 512, 256, 128, 64),
    128: (1024, 1024, 512, 256, 128, 64),
}


class ResNetGenerator(nn.Module):
    """A linear layer to the first map, residual blocks that double its side, a 3x3 convolution to the image.

    With 128 latents it has 4,276,739 parameters at 3x32x32, and 12,220,675 at 3x64x64. By
    ``attention_at=[16]`` and ``spectral=true`` it is SAGAN's (Zhang 2019, arXiv:1805.08318). Where it has
    classes, BatchNorm is conditional.

    Args:
        latent_dim: length of a latent.
        channels: channels of an image; None where the data are no images.
        image_size: side of an image in pixels.
        widths: channels of the first map and of each after a doubling; n widths make n - 1 doublings, so the
            first map has a side of image_size / 2^(n - 1). None: the paper's, for 32, 48, 64 and 128 pixels.
        attention_at: sides of the maps behind which self-attention stands.
        spectral: divides every weight by its largest singular value.
        num_classes: K; None: no classes.

    Raises:
        OptionError: data that are no images, a size that the doublings do not reach, or no such map.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int | None,
        image_size: int | None,
        widths: Sequence[int] | None = None,
        attention_at: Sequence[int] = (),
        spectral: bool = False,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        channels = require_channels(channels)
        require_positive("latent_dim", latent_dim)
        require_classes(num_classes)
        size = image_size or 0
        known = ", ".join(map(str, WIDTHS))
        rule = f"has widths of its own for {known} pixels; model.generator.widths=[...] for another"
        require(widths is not None or size in WIDTHS, "image_size", image_size, rule)
        widths = tuple(WIDTHS[size] if widths is None else widths)
        check_widths(widths)
        doublings = len(widths) - 1
        rule = f"must be a multiple of {2**doublings}, by {doublings} doublings; model.generator.widths=[...]"
        require(size > 0 and size % 2**doublings == 0, "image_size", image_size, rule)
        self.latent_dim, self.num_classes = latent_dim, num_classes
        self.bottom = (widths[0], size >> doublings, size >> doublings)
        sides = [self.bottom[1] << stage for stage in range(1, len(widths))]
        check_attention(attention_at, sides)
        wrap = wrapper(spectral=spectral)
        self.linear = wrap(linear(latent_dim, widths[0] * self.bottom[1] ** 2))
        self.blocks = nn.ModuleList()
        for (width, wider), side in zip(pairwise(widths), sides, strict=True):
            attention = SelfAttention2d(wider, wrap) if side in attention_at else None
            self.blocks.append(_Block(width, wider, num_classes, wrap, attention))
        self.norm = nn.BatchNorm2d(widths[-1])
        self.image = wrap(conv3x3(widths[-1], channels, gain=1.0))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents [B, latent_dim] and classes int64 [B], where there are some, to images [B, C, H, W].

        Images lie in (-1, 1).
        """
        require_input(z, self.latent_dim)
        x = self.linear(z).unflatten(1, self.bottom)
        for block in self.blocks:
            x = block(x, label)
        return torch.tanh(self.image(relu(self.norm(x))))


class _Block(nn.Module):
    """BatchNorm, ReLU, doubling, 3x3, BatchNorm, ReLU, 3x3; beside it doubling and 1x1."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        num_classes: int | None,
        wrap: Callable[[nn.Module], nn.Module],
        attention: nn.Module | None,
    ) -> None:
        super().__init__()
        self.norm1 = ConditionalBatchNorm2d(inputs, num_classes)
        self.conv1 = wrap(conv3x3(inputs, outputs))
        self.norm2 = ConditionalBatchNorm2d(outputs, num_classes)
        self.conv2 = wrap(conv3x3(outputs, outputs))
        self.shortcut = wrap(conv1x1(inputs, outputs))
        self.attention = attention

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, 2 H, 2 W]."""
        branch = self.conv1(_doubled(relu(self.norm1(x, label))))
        branch = self.conv2(relu(self.norm2(branch, label)))
        x = branch + _doubled(
            self.shortcut(x)
        )  # of single places: the same before the doubling, at a quarter
        return x if self.attention is None else self.attention(x)


def _doubled(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2)  # each value four times

"""The residual generator of SNGAN (Miyato 2018, arXiv:1802.05957, appendix B), and that of SAGAN."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from ganvas.model.layers.basic import (
    require_channels,
    require_classes,
    require_input,
    require_positive,
)
from ganvas.model.layers.conditional_batch_norm import ConditionalBatchNorm2d
from ganvas.model.layers.resnet import conv3x3, linear, up_blocks, widths_of, wrapper

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
        widths, bottom = widths_of(WIDTHS, widths, image_size)
        self.latent_dim, self.num_classes = latent_dim, num_classes
        self.bottom = (widths[0], bottom, bottom)
        wrap = wrapper(spectral=spectral)
        self.linear = wrap(linear(latent_dim, widths[0] * bottom**2))
        norms = [partial(ConditionalBatchNorm2d, num_classes=num_classes)] * (len(widths) - 1)
        self.blocks = up_blocks(widths, bottom, attention_at, norms=norms, wrap=wrap)
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

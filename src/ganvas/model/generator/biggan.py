"""The generator of BigGAN (Brock 2019, arXiv:1809.11096, appendix B)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from ganvas.errors import require
from ganvas.model.layers.basic import (
    require_channels,
    require_classes,
    require_input,
    require_labels,
    require_positive,
)
from ganvas.model.layers.biggan import orthogonal, orthogonal_wrapper
from ganvas.model.layers.conditional_batch_norm import ModulatedBatchNorm2d
from ganvas.model.layers.resnet import conv3x3, linear, up_blocks, widths_of

# Channels of the first map, and of each after a doubling, by image size.
WIDTHS = {
    32: (384, 384, 384, 384),
    64: (1536, 768, 384, 192, 96),
    128: (1536, 1536, 768, 384, 192, 96),
}


class BigGANGenerator(nn.Module):
    """A linear layer to the first map, residual blocks that double its side, a 3x3 convolution to the image.

    The latent is cut into n parts for the linear layer and n - 1 blocks; where n does not divide its length,
    the first parts are longer by 1. A block's BatchNorms have their scale and offset from its part and the
    class's vector, which all blocks share; without classes from the part alone. With 80 latents and 10
    classes it has 9,416,196 parameters at 3x32x32, with 120 and 1,000 the paper's 70,433,988 at 3x128x128.

    Args:
        latent_dim: length of a latent.
        channels: channels of an image; None where the data are no images.
        image_size: side of an image in pixels.
        widths: channels of the first map and of each after a doubling; n widths make n - 1 doublings, so the
            first map has a side of image_size / 2^(n - 1). None: those above, for 32, 64 and 128 pixels.
        attention_at: sides of the maps behind which self-attention stands; None: half the image's.
        spectral: divides every weight but the class's vectors by its largest singular value.
        class_dim: length of a class's vector.
        num_classes: K; None: no classes.

    Raises:
        OptionError: data that are no images, a size that the doublings do not reach, no such map, or fewer
            latents than parts.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int | None,
        image_size: int | None,
        widths: Sequence[int] | None = None,
        attention_at: Sequence[int] | None = None,
        spectral: bool = True,
        class_dim: int = 128,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        channels = require_channels(channels)
        require_positive("class_dim", class_dim)
        require_classes(num_classes)
        widths, bottom = widths_of(WIDTHS, widths, image_size)
        parts = len(widths)
        rule = f"must be at least {parts}, one for the first map and one for each of {parts - 1} blocks"
        require(latent_dim >= parts, "latent_dim", latent_dim, rule)
        self.latent_dim, self.num_classes = latent_dim, num_classes
        self.bottom = (widths[0], bottom, bottom)
        self.parts = [latent_dim // parts + (part < latent_dim % parts) for part in range(parts)]
        wrap = orthogonal_wrapper(spectral=spectral)
        self.classes = None
        if num_classes is not None:
            self.classes = nn.Embedding(num_classes, class_dim)
            orthogonal(self.classes)
        self.linear = wrap(linear(self.parts[0], widths[0] * bottom**2))
        shared = 0 if num_classes is None else class_dim
        norms = [
            partial(ModulatedBatchNorm2d, condition_dim=shared + part, wrap=wrap) for part in self.parts[1:]
        ]
        self.blocks = up_blocks(widths, bottom, attention_at, norms=norms, wrap=wrap)
        self.norm = nn.BatchNorm2d(widths[-1], eps=1e-4)
        self.image = wrap(conv3x3(widths[-1], channels))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents [B, latent_dim] and classes int64 [B], where there are some, to images [B, C, H, W].

        Images lie in (-1, 1).
        """
        require_input(z, self.latent_dim)
        first, *parts = z.split(self.parts, dim=1)
        if self.classes is not None:
            shared = self.classes(require_labels(label))
            parts = [torch.cat([shared, part], dim=1) for part in parts]  # [B, class_dim + part]
        x = self.linear(first).unflatten(1, self.bottom)
        for block, condition in zip(self.blocks, parts, strict=True):
            x = block(x, condition)
        return torch.tanh(self.image(relu(self.norm(x))))

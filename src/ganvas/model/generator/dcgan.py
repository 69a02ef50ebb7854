"""The generator of the DCGAN (Radford 2015, arXiv:1511.06434)."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from ganvas.model.layers.basic import (
    initialize_dcgan,
    require_channels,
    require_classes,
    require_input,
    require_positive,
    require_power_of_two_size,
    with_class,
)


class DCGANGenerator(nn.Module):
    """Transposed 4x4 convolutions that double the image from 4x4, each with BatchNorm and ReLU; tanh last.

    At 64 pixels and 64 base channels the stages have 512, 256, 128 and 64 channels, as in the paper's code.

    Args:
        latent_dim: length of a latent.
        channels: channels of an image; None where the data are no images.
        image_size: side of an image in pixels, one of 16, 32, 64, 128.
        base_channels: channels of the last hidden stage; each earlier one has twice as many.
        num_classes: K; the class stands behind the latent as a one-hot vector (Mirza & Osindero 2014,
            arXiv:1411.1784). None: no classes.

    Raises:
        OptionError: data that are no images, another image size, or a size below 1.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int | None,
        image_size: int | None,
        base_channels: int = 64,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        channels, image_size = require_channels(channels), require_power_of_two_size(image_size)
        require_positive("latent_dim", latent_dim)
        require_positive("base_channels", base_channels)
        require_classes(num_classes)
        self.latent_dim, self.num_classes = latent_dim, num_classes
        inputs = latent_dim + (num_classes or 0)
        doublings = int(math.log2(image_size // 4))
        widths = [base_channels * 2**stage for stage in reversed(range(doublings))]  # 512, 256, 128, 64
        layers: list[nn.Module] = [nn.Unflatten(1, (inputs, 1, 1))]
        layers += _stage(nn.ConvTranspose2d(inputs, widths[0], 4, bias=False))  # [B, widths[0], 4, 4]
        for width, narrower in pairwise(widths):
            layers += _stage(nn.ConvTranspose2d(width, narrower, 4, 2, 1, bias=False))
        layers += [nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        initialize_dcgan(self)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents [B, latent_dim] and classes int64 [B], where there are some, to images [B, C, H, W].

        Images lie in (-1, 1).
        """
        require_input(z, self.latent_dim)
        return self.layers(with_class(z, label, self.num_classes))


def _stage(convolution: nn.ConvTranspose2d) -> list[nn.Module]:
    """The convolution (without a bias, for BatchNorm has one) with its BatchNorm and ReLU."""
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]

"""The discriminator of the DCGAN (Radford 2015, arXiv:1511.06434), with a choice of normalization."""

from __future__ import annotations

import math

from torch import Tensor, nn

from ganvas.model.layers.basic import (
    require_channels,
    require_input,
    require_positive,
    require_power_of_two_size,
)
from ganvas.model.layers.strided import require_norm, strided


class DCGANDiscriminator(nn.Module):
    """Strided 4x4 convolutions that halve the image down to 4x4, each with LeakyReLU(0.2).

    The features are all values of the last map. With one linear layer for a head, which begins at N(0, 0.02),
    this is the paper's network, whose last layer is a 4x4 convolution.

    Args:
        channels: channels of an image; None where the data are no images.
        image_size: side of an image in pixels, one of 16, 32, 64, 128.
        base_channels: channels of the first stage; each later one has twice as many.
        norm: ``batch`` normalizes all but the first and last layer (the paper; not with gradient penalties),
            ``spectral`` every weight, the head's too (Miyato 2018, arXiv:1802.05957), ``none`` nothing.

    Raises:
        OptionError: data that are no images, another image size or norm, or a size below 1.
    """

    def __init__(
        self,
        channels: int | None,
        image_size: int | None,
        base_channels: int = 64,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        channels, image_size = require_channels(channels), require_power_of_two_size(image_size)
        require_positive("base_channels", base_channels)
        self.sample_shape = channels, image_size, image_size
        require_norm(norm)
        halvings = int(math.log2(image_size // 4))
        widths = [base_channels * 2**stage for stage in range(halvings)]  # 64, 128, 256, 512
        self.feature_dim, self.spectral = 16 * widths[-1], norm == "spectral"
        self.layers = nn.Sequential(*strided(channels, widths, [2] * halvings, norm), nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] in [-1, 1] to features [B, feature_dim]."""
        require_input(x, *self.sample_shape)
        return self.layers(x)

"""The discriminator of the DCGAN (Radford 2015, arXiv:1511.06434), with a choice of normalization."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from ganvas.errors import require
from ganvas.model.layers.basic import (
    initialize_dcgan,
    require_channels,
    require_input,
    require_positive,
    require_power_of_two_size,
)
from ganvas.model.layers.spectral_norm import spectral_norm

NORMS = ("batch", "spectral", "none")


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
        require(norm in NORMS, "norm", norm, f"must be one of {', '.join(NORMS)}; batch is the paper's")
        halvings = int(math.log2(image_size // 4))
        widths = [base_channels * 2**stage for stage in range(halvings)]  # 64, 128, 256, 512
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for width, wider in pairwise(widths):
            layers.append(nn.Conv2d(width, wider, 4, 2, 1, bias=norm != "batch"))
            if norm == "batch":
                layers.append(nn.BatchNorm2d(wider))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        layers.append(nn.Flatten())
        self.feature_dim, self.spectral = 16 * widths[-1], norm == "spectral"
        initialize_dcgan(nn.Sequential(*layers))
        if norm == "spectral":  # after the initialization: the iteration starts from the final weights
            layers = [spectral_norm(layer) if isinstance(layer, nn.Conv2d) else layer for layer in layers]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] in [-1, 1] to features [B, feature_dim]."""
        require_input(x, *self.sample_shape)
        return self.layers(x)

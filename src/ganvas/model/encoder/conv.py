"""The convolutional encoder of the VQ-VAE (van den Oord 2017, arXiv:1711.00937, section 4.1)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from ganvas.errors import require, require_whole
from ganvas.functional.padding import pad_to_multiple
from ganvas.model.layers.basic import require_channels, require_input, require_positive, residual_stack


class ConvEncoder(nn.Module):
    """Strided 4x4 convolutions, a 3x3, residual blocks and a 1x1 to the latents, as in the authors' code.

    Args:
        channels: channels of an image; None where the data are no images.
        embedding_dim: D, the length of one latent vector.
        hidden_channels: channels of the hidden layers; the first has half as many.
        residual_channels: channels within a residual block.
        residual_blocks: number of residual blocks; 0 is none.
        downsamplings: number of strided convolutions; an image whose sides 2^downsamplings does not divide is
            padded by its edge pixels.

    Raises:
        OptionError: data that are no images, or a size below 1 (below 2 for ``hidden_channels``).
    """

    def __init__(
        self,
        channels: int | None,
        embedding_dim: int,
        hidden_channels: int = 128,
        residual_channels: int = 32,
        residual_blocks: int = 2,
        downsamplings: int = 2,
    ) -> None:
        super().__init__()
        self.channels = channels = require_channels(channels)
        require_positive("embedding_dim", embedding_dim)
        require(hidden_channels >= 2, "hidden_channels", hidden_channels, "must be at least 2; 128 is usual")
        require_positive("residual_channels", residual_channels)
        require_whole("residual_blocks", residual_blocks, 0, "2 is usual")
        require_positive("downsamplings", downsamplings)
        self.multiple = 2**downsamplings
        widths = [channels, hidden_channels // 2, *[hidden_channels] * (downsamplings - 1)]
        layers: list[nn.Module] = []
        for width, wider in pairwise(widths):
            layers += [nn.Conv2d(width, wider, 4, 2, 1), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(
            *layers,
            nn.Conv2d(widths[-1], hidden_channels, 3, padding=1),
            residual_stack(hidden_channels, residual_channels, residual_blocks),
            nn.Conv2d(hidden_channels, embedding_dim, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] in [-1, 1] to latents [B, D, H / 2^downsamplings, W / 2^downsamplings], the
        sides rounded up."""
        require_input(x, self.channels, None, None)
        return self.layers(pad_to_multiple(x, self.multiple))

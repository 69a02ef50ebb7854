"""The convolutional decoder of the VQ-VAE (van den Oord 2017, arXiv:1711.00937, section 4.1)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from ganvas.errors import require
from ganvas.model.layers.basic import require_channels, require_input, require_positive, residual_stack


class ConvDecoder(nn.Module):
    """A 3x3 convolution, residual blocks and transposed 4x4 convolutions, as in the authors' code.

    The output is linear: the mean of a Gaussian over pixels, unbounded; whoever shows it clamps it.

    Args:
        channels: channels of an image; None where the data are no images.
        embedding_dim: D, the length of one latent vector.
        hidden_channels: channels of the hidden layers; the last has half as many.
        residual_channels: channels within a residual block.
        residual_blocks: number of residual blocks; 0 is none.
        upsamplings: number of transposed convolutions; each doubles the sides.

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
        upsamplings: int = 2,
    ) -> None:
        super().__init__()
        channels = require_channels(channels)
        require_positive("embedding_dim", embedding_dim)
        self.embedding_dim = embedding_dim
        require(hidden_channels >= 2, "hidden_channels", hidden_channels, "must be at least 2; 128 is usual")
        require_positive("residual_channels", residual_channels)
        require(residual_blocks >= 0, "residual_blocks", residual_blocks, "must be at least 0; 2 is usual")
        require_positive("upsamplings", upsamplings)
        # channels before each transposed convolution: hidden, ..., hidden, hidden / 2 (the mirror)
        widths = [hidden_channels] * max(upsamplings - 1, 1)
        if upsamplings > 1:
            widths.append(hidden_channels // 2)
        layers: list[nn.Module] = []
        for width, narrower in pairwise(widths):
            layers += [nn.ConvTranspose2d(width, narrower, 4, 2, 1), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(
            nn.Conv2d(embedding_dim, hidden_channels, 3, padding=1),
            residual_stack(hidden_channels, residual_channels, residual_blocks),
            *layers,
            nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Latents [B, D, h, w] to images [B, C, h * 2^upsamplings, w * 2^upsamplings], about [-1, 1]."""
        require_input(z, self.embedding_dim, None, None)
        return self.layers(z)

"""The convolutional decoder of the VQ-VAE (van den Oord 2017, arXiv:1711.00937, section 4.1)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from ganvas.errors import require, require_whole
from ganvas.model.layers.basic import require_channels, require_input, require_positive, residual_stack
from ganvas.model.layers.image_grid import ImageGrid, output_layers


class ConvDecoder(nn.Module):
    """A 3x3 convolution, residual blocks and transposed 4x4 convolutions, as in the authors' code.

    A linear output is the mean of a Gaussian over pixels, unbounded; whoever shows it clamps it.

    Attributes:
        is_bounded: whether what it makes lies in [-1, 1].

    Args:
        channels: channels of an image; None where the data are no images.
        embedding_dim: D, the length of one latent vector.
        hidden_channels: channels of the hidden layers; the last has half as many.
        residual_channels: channels within a residual block.
        residual_blocks: number of residual blocks; 0 is none.
        upsamplings: number of transposed convolutions; each doubles the sides.
        output: ``linear``, as in the authors' code, or ``tanh``.
        sample_shape: [C, H, W] of the images that go into the encoder: by what it pads them is cut off.
            None: nothing is cut off, and a grid of any size is taken.

    Raises:
        OptionError: data that are no images, a size below 1 (below 2 for ``hidden_channels``), a shape with
            other channels, or an output that there is not.
    """

    def __init__(
        self,
        channels: int | None,
        embedding_dim: int,
        hidden_channels: int = 128,
        residual_channels: int = 32,
        residual_blocks: int = 2,
        upsamplings: int = 2,
        output: str = "linear",
        sample_shape: list[int] | None = None,
    ) -> None:
        super().__init__()
        channels = require_channels(channels)
        require_positive("embedding_dim", embedding_dim)
        self.embedding_dim = embedding_dim
        require(hidden_channels >= 2, "hidden_channels", hidden_channels, "must be at least 2; 128 is usual")
        require_positive("residual_channels", residual_channels)
        require_whole("residual_blocks", residual_blocks, 0, "2 is usual")
        require_positive("upsamplings", upsamplings)
        self.grid = None if sample_shape is None else ImageGrid(sample_shape, 2**upsamplings)
        rule = "must be those of sample_shape; give both alike"
        require(self.grid is None or self.grid.channels == channels, "channels", channels, rule)
        self.is_bounded = output == "tanh"
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
            *output_layers(output),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Latents [B, D, h, w] to images [B, C, h * 2^upsamplings, w * 2^upsamplings], about [-1, 1]; cut to
        the samples' size where that is known."""
        if self.grid is None:
            require_input(z, self.embedding_dim, None, None)
            return self.layers(z)
        require_input(z, self.embedding_dim, *self.grid.sides)
        return self.grid.cut(self.layers(z))

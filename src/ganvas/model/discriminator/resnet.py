"""The residual discriminator of SNGAN (Miyato 2018, arXiv:1802.05957, appendix B), and that of SAGAN."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import relu

from ganvas.errors import require
from ganvas.model.layers.basic import require_channels, require_input
from ganvas.model.layers.resnet import down_blocks, halvings_of, wrapper

NORMS = ("spectral", "none")
POOLINGS = ("sum", "mean")
# Channels behind each block, and how many of the blocks halve the side; the papers' by image size.
BLOCKS = {
    32: ((128, 128, 128, 128), 2),
    48: ((64, 128, 256, 512, 1024), 4),
    64: ((64, 128, 256, 512, 1024), 5),
    128: ((64, 128, 256, 512, 1024, 1024), 5),
}


class ResNetDiscriminator(nn.Module):
    """Residual blocks, the first of which halve the side, ReLU, and the sum over all places.

    With a linear head it has 1,053,825 parameters at 3x32x32, and 10,141,441 at 3x64x64. By
    ``attention_at=[16]`` it is SAGAN's (Zhang 2019, arXiv:1805.08318); with ``norm=none pooling=mean`` it is
    WGAN-GP's critic (Gulrajani 2017, arXiv:1704.00028).

    Args:
        channels: channels of an image; None where the data are no images.
        image_size: side of an image in pixels.
        widths: channels behind each block. None: the paper's, for 32, 48, 64 and 128 pixels.
        halvings: how many blocks halve the side. None: the paper's; with ``widths`` as many as leave a side
            of at least 4.
        attention_at: sides of the maps behind which self-attention stands, the first of each side.
        norm: ``spectral`` divides every weight, the head's too, by its largest singular value; ``none``.
        pooling: ``sum`` or ``mean`` over the places of the last map.

    Raises:
        OptionError: data that are no images, a size that the halvings do not divide, or no such map.
    """

    def __init__(
        self,
        channels: int | None,
        image_size: int | None,
        widths: Sequence[int] | None = None,
        halvings: int | None = None,
        attention_at: Sequence[int] = (),
        norm: str = "spectral",
        pooling: str = "sum",
    ) -> None:
        super().__init__()
        channels = require_channels(channels)
        require(norm in NORMS, "norm", norm, f"must be one of {', '.join(NORMS)}; spectral is the paper's")
        require(pooling in POOLINGS, "pooling", pooling, f"must be one of {', '.join(POOLINGS)}")
        widths, halvings = halvings_of(BLOCKS, widths, halvings, image_size)
        size = image_size or 0
        self.sample_shape = channels, size, size
        self.feature_dim, self.spectral, self.pooling = widths[-1], norm == "spectral", pooling
        wrap = wrapper(spectral=self.spectral)
        self.blocks = down_blocks(
            channels,
            size,
            widths,
            halvings,
            attention_at,
            hidden=lambda inputs, _: inputs,  # as in the authors' code
            wrap=wrap,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] in [-1, 1] to features [B, feature_dim]."""
        require_input(x, *self.sample_shape)
        features = relu(self.blocks(x))
        return features.sum((2, 3)) if self.pooling == "sum" else features.mean((2, 3))

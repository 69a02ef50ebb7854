"""The discriminator of BigGAN (Brock 2019, arXiv:1809.11096, appendix B)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import relu

from ganvas.errors import require
from ganvas.model.layers.basic import require_channels, require_input
from ganvas.model.layers.biggan import orthogonal_wrapper
from ganvas.model.layers.resnet import down_blocks, halvings_of

NORMS = ("spectral", "none")
# Channels behind each block, and how many of the blocks halve the side, by image size.
BLOCKS = {
    32: ((192, 192, 192, 192), 2),
    64: ((96, 192, 384, 768, 1536), 4),
    128: ((96, 192, 384, 768, 1536, 1536), 5),
}


class BigGANDiscriminator(nn.Module):
    """Residual blocks, the first of which halve the side, ReLU, and the sum over all places.

    With a projection head it has 2,415,170 parameters for 10 classes at 3x32x32, and 87,982,370 for 1,000 at
    3x128x128.

    Args:
        channels: channels of an image; None where the data are no images.
        image_size: side of an image in pixels.
        widths: channels behind each block. None: those above, for 32, 64 and 128 pixels.
        halvings: how many blocks halve the side. None: those above; with ``widths`` as many as leave a side
            of at least 4.
        attention_at: sides of the maps behind which self-attention stands, the first of each side; None: half
            the image's.
        norm: ``spectral`` divides every weight, the head's too, by its largest singular value; ``none``.

    Raises:
        OptionError: data that are no images, a size that the halvings do not divide, or no such map.
    """

    def __init__(
        self,
        channels: int | None,
        image_size: int | None,
        widths: Sequence[int] | None = None,
        halvings: int | None = None,
        attention_at: Sequence[int] | None = None,
        norm: str = "spectral",
    ) -> None:
        super().__init__()
        channels = require_channels(channels)
        require(norm in NORMS, "norm", norm, f"must be one of {', '.join(NORMS)}; spectral is the paper's")
        widths, halvings = halvings_of(BLOCKS, widths, halvings, image_size)
        size = image_size or 0
        self.sample_shape = channels, size, size
        self.feature_dim, self.spectral = widths[-1], norm == "spectral"
        self.blocks = down_blocks(
            channels,
            size,
            widths,
            halvings,
            attention_at,
            hidden=lambda _, outputs: outputs,
            wrap=orthogonal_wrapper(spectral=self.spectral),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] in [-1, 1] to features [B, feature_dim]."""
        require_input(x, *self.sample_shape)
        return relu(self.blocks(x)).sum((2, 3))

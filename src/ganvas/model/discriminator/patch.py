"""The discriminator of patches, PatchGAN (Isola 2017, arXiv:1611.07004, section 3.2.2 and appendix 6.1.2)."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.errors import require
from ganvas.model.layers.basic import require_channels, require_input, require_positive
from ganvas.model.layers.strided import require_norm, strided


class PatchDiscriminator(nn.Module):
    """Strided 4x4 convolutions with LeakyReLU(0.2) to a map, of which the head judges each patch.

    A patch's features are a 4x4 neighbourhood of the map, so that a linear head is the paper's last
    convolution. With 3 layers and this head it has 2,765,633 parameters for 3 channels, and 2,768,705 for 6.
    A logit sees 16, 34, 70 or 142 pixels a side with 1, 2, 3 or 4 layers.

    Args:
        channels: channels of an image; None where the data are no images.
        image_size: side of an image in pixels; any that leaves a patch.
        base_channels: channels of the first layer; each later one has twice as many, up to eight times.
        layers: convolutions that halve the side; one that does not stands behind them.
        norm: ``batch`` normalizes all but the first and last layer (the paper; not with gradient penalties),
            ``spectral`` every weight, the head's too (Miyato 2018, arXiv:1802.05957), ``none`` nothing.

    Raises:
        OptionError: data that are no images, a size that leaves no patch, another norm, or a size below 1.
    """

    gives_patches = True

    def __init__(
        self,
        channels: int | None,
        image_size: int | None,
        base_channels: int = 64,
        layers: int = 3,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        channels = require_channels(channels)
        require_positive("base_channels", base_channels)
        require_positive("layers", layers)
        require_norm(norm)
        size = image_size or 0
        self.side = (size >> layers) - 2  # patches each way: two convolutions that do not halve take one each
        rule = f"must be at least {3 << layers} pixels with {layers} layers; model.discriminator.layers=N"
        require(self.side >= 1, "image_size", image_size, rule)
        self.sample_shape = channels, size, size
        widths = [base_channels * min(2**layer, 8) for layer in range(layers + 1)]  # 64, 128, 256, 512
        self.feature_dim, self.spectral = 16 * widths[-1], norm == "spectral"
        self.layers = nn.Sequential(*strided(channels, widths, [2] * layers + [1], norm))

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] in [-1, 1] to a map [B, feature_dim / 16, side + 1, side + 1]."""
        require_input(x, *self.sample_shape)
        return self.layers(x)

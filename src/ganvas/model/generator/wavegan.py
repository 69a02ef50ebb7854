"""The generator of WaveGAN (Donahue 2018, arXiv:1802.04208, appendix D, table 3)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from ganvas.model.layers.basic import require_classes, require_input, require_positive, with_class
from ganvas.model.layers.wavegan import initialize, start_of, transposed


class WaveGANGenerator(nn.Module):
    """A linear layer, then transposed convolutions of 25 samples with ReLU; tanh last, and no normalization.

    The paper's (16,384 samples of one channel, 64 base channels, 100 latents) has 19,065,345 parameters. Its
    latents are uniform in [-1, 1], those of the recipes normal.

    Args:
        latent_dim: length of a latent.
        sample_shape: [C, T] of a sound; T a multiple of the strides' product.
        base_channels: channels before the last layer; each earlier one has twice as many.
        strides: of the transposed convolutions, in their order.
        num_classes: K; the class stands behind the latent as a one-hot vector. None: no classes.

    Raises:
        OptionError: data that are no sounds, a length that the strides do not make, or a size below 1.
    """

    def __init__(
        self,
        latent_dim: int,
        sample_shape: Sequence[int],
        base_channels: int = 64,
        strides: Sequence[int] = (4, 4, 4, 4, 4),
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        channels, _, start = start_of(sample_shape, strides)
        require_positive("latent_dim", latent_dim)
        require_positive("base_channels", base_channels)
        require_classes(num_classes)
        self.latent_dim, self.num_classes = latent_dim, num_classes
        widths = [base_channels * 2**stage for stage in reversed(range(len(strides)))]  # 1024, ..., 64
        layers: list[nn.Module] = [
            nn.Linear(latent_dim + (num_classes or 0), widths[0] * start),
            nn.Unflatten(1, (widths[0], start)),
        ]
        for (width, narrower), stride in zip(pairwise([*widths, channels]), strides, strict=True):
            layers += [nn.ReLU(inplace=True), transposed(width, narrower, stride)]
        self.layers = nn.Sequential(*layers, nn.Tanh())
        initialize(self)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents [B, latent_dim] and classes int64 [B], where there are some, to sounds [B, C, T].

        Sounds lie in (-1, 1).
        """
        require_input(z, self.latent_dim)
        return self.layers(with_class(z, label, self.num_classes))

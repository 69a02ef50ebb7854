"""The discriminator of WaveGAN (Donahue 2018, arXiv:1802.04208, appendix D, table 4)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from ganvas.errors import require
from ganvas.model.layers.basic import require_input, require_positive
from ganvas.model.layers.wavegan import PhaseShuffle, initialize, start_of, strided


class WaveGANDiscriminator(nn.Module):
    """Strided convolutions of 25 samples with LeakyReLU(0.2), and a phase shuffle behind all but the last.

    The features are all values of the last map: with a linear head this is the paper's network, of 17,427,969
    parameters for 16,384 samples of one channel and 64 base channels.

    Args:
        sample_shape: [C, T] of a sound; T a multiple of the strides' product.
        base_channels: channels of the first layer; each later one has twice as many.
        strides: of the convolutions, from the input on.
        phase_shuffle: n, the largest shift of a map in training, in steps of that map; 0 shifts none.

    Raises:
        OptionError: data that are no sounds, a length that the strides do not divide, a size below 1, or a
            shift that is not less than the shortest map it moves.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        base_channels: int = 64,
        strides: Sequence[int] = (4, 4, 4, 4, 4),
        phase_shuffle: int = 2,
    ) -> None:
        super().__init__()
        channels, length, left = start_of(sample_shape, strides)
        require_positive("base_channels", base_channels)
        shortest = left * strides[-1] if len(strides) > 1 else length
        rule = f"must be from 0 to {shortest - 1}, less than the {shortest} steps of the map before the last"
        require(0 <= phase_shuffle < shortest, "phase_shuffle", phase_shuffle, f"{rule}; 2 is the paper's")
        self.sample_shape = channels, length
        widths = [base_channels * 2**stage for stage in range(len(strides))]  # 64, ..., 1024
        self.feature_dim = widths[-1] * left
        layers: list[nn.Module] = []
        for number, (pair, stride) in enumerate(zip(pairwise([channels, *widths]), strides, strict=True)):
            layers += [strided(*pair, stride), nn.LeakyReLU(0.2, inplace=True)]
            layers += [PhaseShuffle(phase_shuffle, number)] if number + 1 < len(strides) else []
        self.layers = nn.Sequential(*layers, nn.Flatten())
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        """Sounds [B, C, T] in [-1, 1] to features [B, feature_dim]."""
        require_input(x, *self.sample_shape)
        return self.layers(x)

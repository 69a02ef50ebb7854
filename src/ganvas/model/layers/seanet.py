"""Layers of SEANet (Tagliasacchi 2020, arXiv:2009.02095) as in EnCodec (Defossez 2022, arXiv:2210.13438).

There in section 3.1; without its LSTM, and not causal: paddings lie on both sides."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from ganvas.errors import require, require_whole
from ganvas.model.layers.basic import require_positive, require_shape

ENDS = 7  # samples that the first and the last convolution see
ELU_GAIN = 1.245  # 1 / root of E elu(x)^2, x normal: with it a layer's values are as large as those before it


class SoundGrid:
    """How sounds of one shape lie on a row of latents, one for each ``hop`` samples.

    Attributes:
        channels, length: of one sound.
        hop: product of the strides, samples.
        frames: latents of one sound; the last may stand for fewer samples.

    Args:
        sample_shape: [C, T] of one sound.
        strides: each at least 2.

    Raises:
        OptionError: a shape that is none of a sound, or other strides.
    """

    def __init__(self, sample_shape: Sequence[int], strides: Sequence[int]) -> None:
        self.channels, self.length = require_sound_shape(sample_shape)
        fits = len(strides) > 0 and all(stride >= 2 for stride in strides)
        require(
            fits,
            "strides",
            list(strides),
            "must name at least one stride, each at least 2; e.g. [2, 4, 5, 8]",
        )
        self.hop = math.prod(strides)
        self.frames = -(-self.length // self.hop)


def require_sound_shape(sample_shape: Sequence[int]) -> tuple[int, int]:
    """Channels and samples of sounds; raises OptionError where the data are no sounds."""
    require_shape(sample_shape)
    rule = "this network takes sounds [channels, samples]; choose data of sounds, or another network"
    require(len(sample_shape) == 2, "sample_shape", list(sample_shape), rule)
    channels, length = sample_shape
    return channels, length


def convolution(
    inputs: int, outputs: int, kernel: int, dilation: int = 1, gain: float = ELU_GAIN
) -> nn.Module:
    """Of odd kernel; it keeps the length. [B, inputs, T] to [B, outputs, T]."""
    padding = kernel // 2 * dilation
    made = nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=padding)
    return _begun(made, inputs * kernel, gain)


def downsampling(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Of kernel 2 stride; [B, inputs, n stride] to [B, outputs, n]."""
    made = nn.Conv1d(inputs, outputs, 2 * stride, stride, padding=(stride + 1) // 2)
    return _begun(made, inputs * 2 * stride)


def upsampling(inputs: int, outputs: int, stride: int) -> nn.Module:
    """The mirror of :func:`downsampling`: [B, inputs, n] to [B, outputs, n stride]."""
    odd = stride % 2
    made = nn.ConvTranspose1d(
        inputs, outputs, 2 * stride, stride, padding=(stride + 1) // 2, output_padding=odd
    )
    return _begun(made, inputs * 2)  # a sample of the output meets two steps of the input


def _begun(layer: nn.Conv1d | nn.ConvTranspose1d, terms: int, gain: float = ELU_GAIN) -> nn.Module:
    """With weights from N(0, gain^2 / terms) and no bias, and normalized from now on.

    torch's own initialization makes values smaller by a third at each layer: what twenty of them make is
    next to silence, from which training takes long to get away.
    """
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(terms))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    # a norm for each output channel
    return weight_norm(layer, dim=int(isinstance(layer, nn.ConvTranspose1d)))


class ResidualUnit(nn.Module):
    """x + conv1(elu(conv3(elu(x)))), with half the channels in between."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        within = max(1, channels // 2)
        self.branch = nn.Sequential(
            nn.ELU(),  # not in place: the skip connection still reads x
            convolution(channels, within, 3, dilation),
            nn.ELU(inplace=True),
            convolution(within, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, T] to the same shape."""
        return x + self.branch(x)


def units_of(channels: int, number: int) -> list[nn.Module]:
    """So many, of dilations 1, 3, 9, ... (SoundStream: Zeghidour 2021, arXiv:2107.03312, section III-A)."""
    return [ResidualUnit(channels, 3**unit) for unit in range(number)]


def require_widths(embedding_dim: int, base_channels: int, units: int) -> None:
    """Raises OptionError unless the sizes that both networks share are positive."""
    require_positive("embedding_dim", embedding_dim)
    require_positive("base_channels", base_channels)
    require_whole("residual_units", units, 0, "1 is EnCodec's, 3 SoundStream's")

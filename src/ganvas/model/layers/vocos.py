"""Layers of Vocos (Siuzdak 2023, arXiv:2306.00814): ConvNeXt blocks in one dimension, and spectra of frames.

Every layer works at the rate of frames, tens of samples apart: several times cheaper than convolutions that
go down from samples, and up to them again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, conv_transpose1d, gelu

from ganvas.errors import require, require_whole
from ganvas.model.layers.basic import require_positive
from ganvas.model.layers.seanet import require_sound_shape

SCALE = 0.3  # of a block's branch at the start
RATIO = 3  # hidden units of a block, in widths, as in the paper's published models


class Frames(nn.Module):
    """Sounds of n hops to n spectra and back: the window of frame i has its middle at hop (i + 1/2).

    Windows are Hann's. Analysis and synthesis are products with fixed matrices (a DFT), as a convolution and
    a transposed one, which every type and every exporter knows.

    Attributes:
        bins: frequencies of a spectrum, window // 2 + 1.

    Args:
        window: samples, even.
        hop: samples, even and at most half the window.

    Raises:
        OptionError: another window or hop.
    """

    analysis: Tensor  # [2 bins, 1, window]: cosines, then minus sines
    synthesis: Tensor  # likewise, their inverse
    squares: Tensor  # [1, 1, window]

    def __init__(self, window: int, hop: int) -> None:
        super().__init__()
        require(
            window >= 4 and window % 2 == 0,
            "window",
            window,
            "must be an even number of samples; 256 is usual",
        )
        fits = hop >= 2 and hop % 2 == 0 and 2 * hop <= window
        require(
            fits, "hop", hop, f"must be even, from 2 to {window // 2}, half the window; a quarter is usual"
        )
        self.window, self.hop, self.bins = window, hop, window // 2 + 1
        n = torch.arange(window, dtype=torch.float64)
        hann = 0.5 - 0.5 * (2 * math.pi * n / window).cos()
        angle = 2 * math.pi * torch.arange(self.bins, dtype=torch.float64)[:, None] * n / window
        waves = torch.cat([angle.cos(), -angle.sin()]) * hann  # [2 bins, window]
        share = torch.full((self.bins,), 2.0, dtype=torch.float64)  # of a pair of conjugate frequencies
        share[0] = share[-1] = 1.0
        inverse = waves * share.repeat(2)[:, None] / window
        level = 2 / hann.sum()  # as in functional.spectra: a sine of amplitude a has magnitude a
        for name, value in (
            ("analysis", waves * level),
            ("synthesis", inverse / level),
            ("squares", hann**2),
        ):
            shaped = value[None] if value.ndim == 1 else value
            self.register_buffer(name, shaped[:, None].float(), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Sounds [B, C, n hop] to real and imaginary parts, each [B, C, bins, n]; zeros stand around them."""
        made = conv1d(x.flatten(0, 1)[:, None], self.analysis, stride=self.hop, padding=self._margin)
        real, imaginary = made.unflatten(0, x.shape[:2]).chunk(2, dim=2)
        return real, imaginary

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Both parts [B, C, bins, n] to sounds [B, C, n hop], whose frames overlap and are added."""
        parts = torch.cat([real, imaginary], dim=2).flatten(0, 1)  # [B C, 2 bins, n]
        one = parts.new_ones(1, 1, parts.shape[2])
        made, weight = (
            conv_transpose1d(value, kernel, stride=self.hop, padding=self._margin)
            for value, kernel in ((parts, self.synthesis), (one, self.squares))
        )
        return (made / weight).unflatten(0, real.shape[:2])[:, :, 0]

    @property
    def _margin(self) -> int:
        return (self.window - self.hop) // 2


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of each frame; [B, C, n] to the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.mT).mT


class ConvNeXtBlock(nn.Module):
    """x + scale * MLP(LayerNorm(depthwise7(x))) (Liu 2022, arXiv:2201.03545, figure 4)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, RATIO * width), nn.Linear(RATIO * width, width)
        self.scale = nn.Parameter(torch.full((width,), SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, n] to the same shape."""
        branch = self.narrow(gelu(self.widen(self.norm(self.depthwise(x).mT))))  # [B, n, width]
        return x + (self.scale * branch).mT


def blocks_of(width: int, number: int) -> list[nn.Module]:
    return [ConvNeXtBlock(width) for _ in range(number)]


def require_vocos(
    sample_shape: Sequence[int], embedding_dim: int, width: int, stride: int, blocks: int, deep_blocks: int
) -> tuple[int, int]:
    """Channels and samples of sounds; raises OptionError unless the options of both networks fit."""
    for option, value in (("embedding_dim", embedding_dim), ("width", width), ("stride", stride)):
        require_positive(option, value)
    for option, value in (("blocks", blocks), ("deep_blocks", deep_blocks)):
        require_whole(option, value, 0, "2 is usual")
    return require_sound_shape(sample_shape)

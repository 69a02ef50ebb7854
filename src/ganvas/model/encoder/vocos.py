"""An encoder of spectra, the mirror of Vocos (Siuzdak 2023, arXiv:2306.00814)."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.functional.padding import pad_length
from ganvas.model.layers.basic import require_input
from ganvas.model.layers.vocos import ChannelNorm, Frames, blocks_of, require_vocos

FLOOR = 1e-4  # added to magnitudes before the logarithm: 80 dB below a full-scale sine
SMALLEST = 1e-7  # of a magnitude


class VocosEncoder(nn.Module):
    """Logarithms of STFT magnitudes, ConvNeXt blocks, and a stride to latents with blocks of twice the width.

    It sees no phase: what it makes of a sound says how it sounds, and not where its waves stand.

    Args:
        sample_shape: [C, T] of a sound.
        embedding_dim: D, the length of one latent vector.
        width: channels of a frame; a latent's layers have twice as many.
        window, hop: of the STFT, samples.
        stride: frames a latent stands for.
        blocks: of the frames.
        deep_blocks: of the latents.

    Raises:
        OptionError: data that are no sounds, another window or hop, or a size below 1.
    """

    def __init__(
        self,
        sample_shape: list[int],
        embedding_dim: int,
        width: int = 96,
        window: int = 256,
        hop: int = 64,
        stride: int = 5,
        blocks: int = 2,
        deep_blocks: int = 2,
    ) -> None:
        super().__init__()
        self.channels, _ = require_vocos(sample_shape, embedding_dim, width, stride, blocks, deep_blocks)
        self.frames, self.hop = Frames(window, hop), hop * stride
        self.layers = nn.Sequential(
            nn.Conv1d(self.channels * self.frames.bins, width, 3, padding=1),
            ChannelNorm(width),
            *blocks_of(width, blocks),
            nn.Conv1d(width, 2 * width, stride, stride),
            ChannelNorm(2 * width),
            *blocks_of(2 * width, deep_blocks),
            nn.Conv1d(2 * width, embedding_dim, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Sounds [B, C, T] in [-1, 1], of any length, to latents [B, D, T / (hop stride)], rounded up."""
        require_input(x, self.channels, None)
        real, imaginary = self.frames(pad_length(x, self.hop))  # [B, C, bins, n]
        magnitude = (real.square() + imaginary.square()).clamp(min=SMALLEST**2).sqrt()
        return self.layers((magnitude + FLOOR).log10().flatten(1, 2) + 3)  # about from -1 to 2

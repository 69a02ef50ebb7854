"""The decoder of Vocos (Siuzdak 2023, arXiv:2306.00814, section 3): spectra, and the inverse STFT."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.model.layers.basic import require_input
from ganvas.model.layers.image_grid import output_layers
from ganvas.model.layers.vocos import ChannelNorm, Frames, blocks_of, require_vocos

LARGEST = 3.0  # of the logarithm of a magnitude: 26 dB over a full-scale sine
QUIET = 4.0  # what is taken off it: networks begin near 0, and speech at -35 dB


class VocosDecoder(nn.Module):
    """ConvNeXt blocks of latents, a transposed convolution to frames, blocks of half the width, and spectra.

    A frame's magnitudes are exp(m), its phases p, as cos(p) and sin(p), so that they have no border to cross.

    Attributes:
        is_bounded: whether what it makes lies in [-1, 1].

    Args:
        sample_shape: [C, T] of the sounds that go into the encoder: a row of as many latents as theirs gives
            T samples, without those that the encoder pads; another row as many as its latents stand for.
        embedding_dim: D, the length of one latent vector.
        width: channels of a frame; a latent's layers have twice as many.
        window, hop: of the STFT, samples.
        stride: frames a latent stands for.
        blocks: of the frames.
        deep_blocks: of the latents.
        output: ``linear``, or ``tanh``.

    Raises:
        OptionError: data that are no sounds, another window or hop, a size below 1, or another output.
    """

    def __init__(
        self,
        sample_shape: list[int],
        embedding_dim: int,
        width: int = 96,
        window: int = 256,
        hop: int = 64,
        stride: int = 5,
        blocks: int = 3,
        deep_blocks: int = 2,
        output: str = "linear",
    ) -> None:
        super().__init__()
        self.channels, self.length = require_vocos(
            sample_shape, embedding_dim, width, stride, blocks, deep_blocks
        )
        self.frames, self.embedding_dim = Frames(window, hop), embedding_dim
        self.latents = -(-self.length // (hop * stride))
        self.is_bounded = output == "tanh"
        self.output = nn.Sequential(*output_layers(output))
        self.layers = nn.Sequential(
            nn.Conv1d(embedding_dim, 2 * width, 7, padding=3),
            ChannelNorm(2 * width),
            *blocks_of(2 * width, deep_blocks),
            nn.ConvTranspose1d(2 * width, width, stride, stride),
            ChannelNorm(width),
            *blocks_of(width, blocks),
            ChannelNorm(width),
            nn.Conv1d(width, 2 * self.channels * self.frames.bins, 3, padding=1),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Latents [B, D, n] to sounds [B, C, n hop stride], about [-1, 1]; cut to T if n is the samples'."""
        require_input(z, self.embedding_dim, None)
        made = self.layers(z).unflatten(1, (2, self.channels, self.frames.bins))
        logarithm, phase = made.unbind(1)  # [B, C, bins, frames]
        magnitude = (logarithm - QUIET).clamp(max=LARGEST).exp()
        sounds = self.output(self.frames.inverse(magnitude * phase.cos(), magnitude * phase.sin()))
        return sounds[:, :, : self.length] if z.shape[2] == self.latents else sounds

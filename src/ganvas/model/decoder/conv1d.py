"""The decoder of sounds of EnCodec (Defossez 2022, arXiv:2210.13438, section 3.1): the encoder's mirror."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.model.layers.basic import require_input
from ganvas.model.layers.image_grid import output_layers
from ganvas.model.layers.seanet import (
    ENDS,
    SoundGrid,
    convolution,
    require_widths,
    units_of,
    upsampling,
)


class Conv1dDecoder(nn.Module):
    """A 7-sample convolution, then a transposed one and residual units a stage, and a last one to the wave.

    Attributes:
        is_bounded: whether what it makes lies in [-1, 1].

    Args:
        sample_shape: [C, T] of the sounds that go into the encoder: a row of as many latents as theirs gives
            T samples, without those that the encoder pads; another row as many as its latents stand for.
        embedding_dim: D, the length of one latent vector.
        base_channels: channels before the last layer; there are twice as many before each earlier stage.
        strides: those of the encoder, in its order: the last is undone first.
        residual_units: of each stage behind its stride.
        output: ``linear``, or ``tanh``.

    Raises:
        OptionError: data that are no sounds, a stride below 2, a size below 1, or another output.
    """

    def __init__(
        self,
        sample_shape: list[int],
        embedding_dim: int,
        base_channels: int = 32,
        strides: list[int] | tuple[int, ...] = (2, 4, 5, 8),
        residual_units: int = 1,
        output: str = "linear",
    ) -> None:
        super().__init__()
        require_widths(embedding_dim, base_channels, residual_units)
        self.grid, self.embedding_dim = SoundGrid(sample_shape, strides), embedding_dim
        self.is_bounded = output == "tanh"
        width = base_channels * 2 ** len(strides)
        layers: list[nn.Module] = [convolution(embedding_dim, width, ENDS)]
        for stride in reversed(strides):
            layers += [nn.ELU(), upsampling(width, width // 2, stride), *units_of(width // 2, residual_units)]
            width //= 2
        last = convolution(width, self.grid.channels, ENDS, gain=0.1)  # as loud as speech
        self.layers = nn.Sequential(*layers, nn.ELU(), last, *output_layers(output))

    def forward(self, z: Tensor) -> Tensor:
        """Latents [B, D, n] to sounds [B, C, n hop], about [-1, 1]; cut to T where n is the samples'."""
        require_input(z, self.embedding_dim, None)
        made = self.layers(z)
        grid = self.grid  # a shape that needs no cut is not asked for: exported programs take any length
        is_longer = grid.length % grid.hop != 0 and z.shape[2] == grid.frames
        return made[:, :, : grid.length] if is_longer else made

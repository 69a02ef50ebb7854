"""The encoder of sounds of EnCodec (Defossez 2022, arXiv:2210.13438, section 3.1), SEANet's, not causal."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.functional.padding import pad_length
from ganvas.model.layers.basic import require_input
from ganvas.model.layers.seanet import (
    ENDS,
    SoundGrid,
    convolution,
    downsampling,
    require_widths,
    units_of,
)


class Conv1dEncoder(nn.Module):
    """A 7-sample convolution, then residual units and a strided one a stage, and a last one to the latents.

    Every convolution is weight-normalized (Salimans 2016, arXiv:1602.07868), every activation an ELU; the
    paper's LSTM is left out.

    Args:
        sample_shape: [C, T] of a sound.
        embedding_dim: D, the length of one latent vector.
        base_channels: channels of the first layer; they double with each stride.
        strides: of the stages, from the input on; their product is the samples a latent stands for.
        residual_units: of each stage before its stride.

    Raises:
        OptionError: data that are no sounds, a stride below 2, or a size below 1.
    """

    def __init__(
        self,
        sample_shape: list[int],
        embedding_dim: int,
        base_channels: int = 32,
        strides: list[int] | tuple[int, ...] = (2, 4, 5, 8),
        residual_units: int = 1,
    ) -> None:
        super().__init__()
        require_widths(embedding_dim, base_channels, residual_units)
        grid = SoundGrid(sample_shape, strides)
        self.channels, self.hop = grid.channels, grid.hop
        width = base_channels
        layers: list[nn.Module] = [convolution(grid.channels, width, ENDS)]
        for stride in strides:
            layers += [*units_of(width, residual_units), nn.ELU(), downsampling(width, 2 * width, stride)]
            width *= 2
        self.layers = nn.Sequential(*layers, nn.ELU(), convolution(width, embedding_dim, ENDS))

    def forward(self, x: Tensor) -> Tensor:
        """Sounds [B, C, T] in [-1, 1], of any length, to latents [B, D, T / hop], rounded up."""
        require_input(x, self.channels, None)
        return self.layers(pad_length(x, self.hop))

"""The residual decoder of VQGAN (Esser 2021, arXiv:2012.09841, appendix A, table 7)."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.model.layers.basic import require_input, require_positive
from ganvas.model.layers.image_grid import output_layers
from ganvas.model.layers.vqgan import Doubling, Swish, group_norm, middle, stage, stages_of


class ResNetDecoder(nn.Module):
    """The mirror of :class:`ganvas.model.encoder.resnet.ResNetEncoder`, with one more block at each size.

    Attributes:
        is_bounded: whether what it makes lies in [-1, 1].

    Args:
        sample_shape: [C, H, W] of an image; by what the encoder pads it is cut off.
        embedding_dim: D, the length of one latent vector.
        base_channels: channels of the largest map are this times the first of ``multipliers``.
        multipliers: of each map size, from the largest, as the encoder's.
        blocks: the encoder's residual blocks at each size; here stands one more.
        attention_at: sides of maps (the longer one, before it is cut) with attention behind each block; the
            smallest map has it in front anyway.
        latent_channels: channels that a 1x1 makes of latents before the first 3x3 convolution; None: there
            is no 1x1.
        output: ``linear``, as in the authors' code, or ``tanh``.

    Raises:
        OptionError: data that are no images, a size below 1, a side that no map has, or an output that there
            is not.
    """

    def __init__(
        self,
        sample_shape: list[int],
        embedding_dim: int,
        base_channels: int = 128,
        multipliers: list[int] | tuple[int, ...] = (1, 1, 2, 2, 4),
        blocks: int = 2,
        attention_at: list[int] | tuple[int, ...] = (),
        latent_channels: int | None = None,
        output: str = "linear",
    ) -> None:
        super().__init__()
        require_positive("embedding_dim", embedding_dim)
        require_positive("latent_channels", 1 if latent_channels is None else latent_channels)
        self.embedding_dim, self.is_bounded = embedding_dim, output == "tanh"
        self.grid, stages = stages_of(sample_shape, base_channels, multipliers, blocks, attention_at)
        width, _ = stages[-1]
        taken = embedding_dim if latent_channels is None else latent_channels
        layers: list[nn.Module] = [] if latent_channels is None else [nn.Conv2d(embedding_dim, taken, 1)]
        layers += [nn.Conv2d(taken, width, 3, padding=1), *middle(width)]
        for number, (outputs, attends) in enumerate(reversed(stages)):
            layers += [Doubling(width)] if number else []
            layers += stage(width, outputs, blocks + 1, attends=attends)
            width = outputs
        layers += [group_norm(width), Swish(), nn.Conv2d(width, self.grid.channels, 3, padding=1)]
        self.layers = nn.Sequential(*layers, *output_layers(output))

    def forward(self, z: Tensor) -> Tensor:
        """Latents [B, D, h, w] to images [B, C, H, W], about [-1, 1]."""
        require_input(z, self.embedding_dim, *self.grid.sides)
        return self.grid.cut(self.layers(z))

"""The residual encoder of VQGAN (Esser 2021, arXiv:2012.09841, appendix A, table 7)."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.functional.padding import pad_to_multiple
from ganvas.model.layers.basic import require_input, require_positive
from ganvas.model.layers.vqgan import Halving, Swish, group_norm, middle, stage, stages_of


class ResNetEncoder(nn.Module):
    """Residual blocks with GroupNorm and swish at each of several sizes, halved in between, and attention.

    Args:
        sample_shape: [C, H, W] of an image; sides that the halvings do not divide are padded by their edge.
        embedding_dim: D, the length of one latent vector.
        base_channels: channels of the largest map are this times the first of ``multipliers``.
        multipliers: of each map size, from the largest; the side is halved between two of them.
        blocks: residual blocks at each size.
        attention_at: sides of maps (the longer one, after padding) with attention behind each block; the
            smallest map has it in its middle anyway.
        latent_channels: channels of the last 3x3 convolution, behind which a 1x1 makes latents; None: the 3x3
            makes them.

    Raises:
        OptionError: data that are no images, a size below 1, or a side that no map has.
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
    ) -> None:
        super().__init__()
        require_positive("embedding_dim", embedding_dim)
        require_positive("latent_channels", 1 if latent_channels is None else latent_channels)
        grid, stages = stages_of(sample_shape, base_channels, multipliers, blocks, attention_at)
        self.channels, self.multiple = grid.channels, 2 ** (len(stages) - 1)
        layers: list[nn.Module] = [nn.Conv2d(grid.channels, base_channels, 3, padding=1)]
        width = base_channels
        for number, (outputs, attends) in enumerate(stages):
            layers += [Halving(width)] if number else []
            layers += stage(width, outputs, blocks, attends=attends)
            width = outputs
        made = embedding_dim if latent_channels is None else latent_channels
        layers += [*middle(width), group_norm(width), Swish(), nn.Conv2d(width, made, 3, padding=1)]
        layers += [] if latent_channels is None else [nn.Conv2d(latent_channels, embedding_dim, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] in [-1, 1] to latents [B, D, H / 2^halvings, W / 2^halvings], rounded up."""
        require_input(x, self.channels, None, None)
        return self.layers(pad_to_multiple(x, self.multiple))

"""The discriminator of R3GAN (Huang 2024, arXiv:2501.05441, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ganvas.model.layers.basic import require_channels, require_input
from ganvas.model.layers.r3gan import Block, check_blocks, initialized, stages_of
from ganvas.model.layers.resampling import Resampling


class R3GANDiscriminator(nn.Module):
    """The mirror of the generator: residual blocks, halvings, one weight for each value of the last map.

    20,683,776 parameters at 3x32x32 with the head ``inner_product``. At the start it is linear in the image.

    Args:
        channels: channels of an image; None where the data are no images.
        image_size: side of an image in pixels.
        widths: channels of each stage from the smallest map on, as the generator has. None: the paper's, for
            32, 64 and 256 pixels.
        blocks: residual blocks a stage.
        expansion: channels inside a block, times the stage's.
        group_size: channels of a group of a block's 3x3 convolution.

    Raises:
        OptionError: data that are no images, a size that the halvings do not reach, sizes that do not fit.
    """

    def __init__(
        self,
        channels: int | None,
        image_size: int | None,
        widths: Sequence[int] | None = None,
        blocks: int = 2,
        expansion: int = 2,
        group_size: int = 16,
    ) -> None:
        super().__init__()
        channels = require_channels(channels)
        check_blocks(blocks, expansion)
        widths, side = stages_of(widths, image_size, "discriminator")
        size = side << len(widths) - 1
        self.sample_shape, self.feature_dim = (channels, size, size), widths[0]
        depth = blocks * len(widths)
        self.image = initialized(nn.Conv2d(channels, widths[-1], 1, bias=False), 1.0)
        self.stages, self.transitions = nn.ModuleList(), nn.ModuleList()
        for width, after in zip(reversed(widths), (*reversed(widths[:-1]), None), strict=True):
            made = (
                Block(width, depth=depth, expansion=expansion, group_size=group_size) for _ in range(blocks)
            )
            self.stages.append(nn.Sequential(*made))
            if after is not None:
                changes = initialized(nn.Conv2d(width, after, 1, bias=False), 1.0)
                self.transitions.append(changes if after != width else nn.Identity())
        whole = nn.Conv2d(widths[0], widths[0], side, groups=widths[0], bias=False)
        self.whole = initialized(whole, 1.0)
        self.resampling = Resampling()

    @property
    def layers_from_input(self) -> list[nn.Module]:
        """See :class:`ganvas.model.discriminator.interface.Discriminator`."""
        found: list[nn.Module] = [self.image]
        for number, stage in enumerate(self.stages):
            found += [*stage.children(), *self.transitions[number : number + 1]]
        return [*found, self.whole]

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] in [-1, 1] to features [B, feature_dim]."""
        require_input(x, *self.sample_shape)
        x = self.image(x)
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number < len(self.transitions):
                x = self.transitions[number](self.resampling.halved(x))
        features: Tensor = self.whole(x)[..., 0, 0]
        return features

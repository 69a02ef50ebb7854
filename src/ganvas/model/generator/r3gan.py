"""The generator of R3GAN (Huang 2024, arXiv:2501.05441, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ganvas.model.layers.basic import (
    require_channels,
    require_classes,
    require_input,
    require_labels,
    require_positive,
)
from ganvas.model.layers.r3gan import Block, check_blocks, initialized, stages_of
from ganvas.model.layers.resampling import Resampling


class R3GANGenerator(nn.Module):
    """A learned first map times a linear map of the latent, residual blocks, doublings; no norm, no tanh.

    With 64 latents it has 20,732,160 parameters at 3x32x32, 22,429,824 at 3x64x64. It begins linear in
    the latent.

    Args:
        latent_dim: length of a latent.
        channels: channels of an image; None where the data are no images.
        image_size: side of an image in pixels.
        widths: channels of each stage from the smallest map on; n make n - 1 doublings. None: the paper's,
            for 32, 64 and 256 pixels.
        blocks: residual blocks a stage.
        expansion: channels inside a block, times the stage's.
        group_size: channels of a group of a block's 3x3 convolution.
        class_dim: length of the vector of a class, which stands behind the latent.
        num_classes: K; None: no classes.

    Raises:
        OptionError: data that are no images, a size that the doublings do not reach, sizes that do not fit.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int | None,
        image_size: int | None,
        widths: Sequence[int] | None = None,
        blocks: int = 2,
        expansion: int = 2,
        group_size: int = 16,
        class_dim: int = 64,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        channels = require_channels(channels)
        require_positive("latent_dim", latent_dim)
        require_positive("class_dim", class_dim)
        require_classes(num_classes)
        check_blocks(blocks, expansion)
        widths, side = stages_of(widths, image_size, "generator")
        self.latent_dim, self.num_classes = latent_dim, num_classes
        inputs = latent_dim + (class_dim if num_classes else 0)
        self.classes = None if num_classes is None else _bare_linear(num_classes, class_dim)
        self.basis = nn.Parameter(torch.randn(widths[0], side, side))
        self.linear = _bare_linear(inputs, widths[0])
        depth = blocks * len(widths)
        self.transitions, self.stages = nn.ModuleList(), nn.ModuleList()
        for before, width in zip((widths[0], *widths), widths, strict=False):
            changes = initialized(nn.Conv2d(before, width, 1, bias=False), 1.0)
            self.transitions.append(changes if before != width else nn.Identity())
            made = (
                Block(width, depth=depth, expansion=expansion, group_size=group_size) for _ in range(blocks)
            )
            self.stages.append(nn.Sequential(*made))
        self.image = initialized(nn.Conv2d(widths[-1], channels, 1, bias=False), 1.0)
        self.resampling = Resampling()

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents [B, latent_dim] and classes int64 [B], where there are some, to images [B, C, H, W].

        Nothing bounds them in training; in eval mode they are cut to [-1, 1].
        """
        require_input(z, self.latent_dim)
        if self.classes is not None and self.num_classes is not None:
            chosen = one_hot(require_labels(label), self.num_classes).to(z.dtype)
            z = torch.cat([z, self.classes(chosen)], dim=1)
        x = self.basis * self.linear(z)[..., None, None]
        for number, (transition, stage) in enumerate(zip(self.transitions, self.stages, strict=True)):
            if number:
                x = self.resampling.doubled(transition(x))
            x = stage(x)
        images = self.image(x)
        return images if self.training else images.clamp(-1, 1)


def _bare_linear(inputs: int, outputs: int) -> nn.Module:
    return initialized(nn.Linear(inputs, outputs, bias=False), 1.0)

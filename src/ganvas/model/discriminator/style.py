"""The discriminator of StyleGAN2 (Karras 2020, arXiv:1912.04958), in the sizes of ADA (arXiv:2006.06676)."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from ganvas.errors import require
from ganvas.model.layers.basic import require_channels, require_input
from ganvas.model.layers.minibatch_std import MinibatchStd
from ganvas.model.layers.style import EqualizedConv2d, EqualizedLinear, activate, channels_at, sides_of

ARCHITECTURES = ("resnet", "orig")


class StyleDiscriminator(nn.Module):
    """Convolutions that halve the map down to a side of 4 to 7, samples compared there, a linear layer.

    20,720,641 parameters at 3x32x32 with ``architecture=orig`` and the head ``mapped``.

    Args:
        channels: channels of an image; None where the data are no images.
        image_size: side of an image in pixels: 4, 5, 6 or 7 times a power of two.
        architecture: ``resnet``, blocks with a shortcut (the paper's), or ``orig``, without one (ADA's for
            CIFAR-10).
        channel_base: a map of side s has channel_base / s channels,
        channel_max: and at most so many.
        minibatch_group: samples that are compared with each other; None: the network looks at each alone.

    Raises:
        OptionError: data that are no images, a size that the halvings do not reach, sizes that do not fit.
    """

    def __init__(
        self,
        channels: int | None,
        image_size: int | None,
        architecture: str = "resnet",
        channel_base: int = 16384,
        channel_max: int = 512,
        minibatch_group: int | None = 4,
    ) -> None:
        super().__init__()
        channels = require_channels(channels)
        rule = f"must be one of {', '.join(ARCHITECTURES)}; resnet is the paper's"
        require(architecture in ARCHITECTURES, "architecture", architecture, rule)
        sides = sides_of(image_size)
        widths = channels_at(sides, channel_base, channel_max)
        self.sample_shape, self.feature_dim = (channels, sides[-1], sides[-1]), widths[0]
        self.image = EqualizedConv2d(channels, widths[-1], 1)
        self.blocks = nn.Sequential(
            *(
                _Block(inputs, outputs, shortcut=architecture == "resnet")
                for inputs, outputs in pairwise(reversed(widths))
            )
        )
        self.minibatch_std = None if minibatch_group is None else MinibatchStd(minibatch_group)
        compared = 0 if minibatch_group is None else 1
        self.last = EqualizedConv2d(widths[0] + compared, widths[0], 3)
        self.linear = EqualizedLinear(widths[0] * sides[0] ** 2, widths[0])

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] in [-1, 1] to features [B, feature_dim].

        Raises:
            ValueError: in training, a batch that ``minibatch_group`` does not divide.
        """
        require_input(x, *self.sample_shape)
        x = self.blocks(activate(self.image(x)))
        if self.minibatch_std is not None:
            x = self.minibatch_std(x)
        return activate(self.linear(activate(self.last(x)).flatten(1)))


class _Block(nn.Module):
    """3x3, 3x3 halving; beside it, where there is a shortcut, 1x1 halving, and the sum over sqrt 2."""

    def __init__(self, inputs: int, outputs: int, *, shortcut: bool) -> None:
        super().__init__()
        self.first = EqualizedConv2d(inputs, inputs, 3)
        self.second = EqualizedConv2d(inputs, outputs, 3, halves=True)
        self.shortcut = EqualizedConv2d(inputs, outputs, 1, halves=True, bias=False) if shortcut else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H / 2, W / 2]."""
        branch = activate(self.second(activate(self.first(x))))
        return branch if self.shortcut is None else (branch + self.shortcut(x)) * math.sqrt(0.5)

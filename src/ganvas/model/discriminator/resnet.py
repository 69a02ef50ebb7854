"""The residual discriminator of SNGAN (Miyato 2018, arXiv:1802.05957, appendix B), and that of SAGAN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import relu

from ganvas.errors import require
from ganvas.model.layers.attention import SelfAttention2d
from ganvas.model.layers.basic import require_channels, require_input
from ganvas.model.layers.resnet import check_attention, check_widths, conv1x1, conv3x3, halved, wrapper

NORMS = ("spectral", "none")
POOLINGS = ("sum", "mean")
# Channels behind each block, and how many of the blocks halve the side; the papers' by image size.
BLOCKS = {
    32: ((128, 128, 128, 128), 2),
    48: ((64, 128, 256, 512, 1024), 4),
    64: ((64, 128, 256, 512, 1024), 5),
    128: ((64, 128, 256, 512, 1024, 1024), 5),
}


class ResNetDiscriminator(nn.Module):
    """Residual blocks, the first of which halve the side, ReLU, and the sum over all places.

    With a linear head it has 1,053,825 parameters at 3x32x32, and 10,141,441 at 3x64x64. By
    ``attention_at=[16]`` it is SAGAN's (Zhang 2019, arXiv:1805.08318); with ``norm=none pooling=mean`` it is
    WGAN-GP's critic (Gulrajani 2017, arXiv:1704.00028).

    Args:
        channels: channels of an image; None where the data are no images.
        image_size: side of an image in pixels.
        widths: channels behind each block. None: the paper's, for 32, 48, 64 and 128 pixels.
        halvings: how many blocks halve the side. None: the paper's; with ``widths`` as many as leave a side
            of at least 4.
        attention_at: sides of the maps behind which self-attention stands, the first of each side.
        norm: ``spectral`` divides every weight, the head's too, by its largest singular value; ``none``.
        pooling: ``sum`` or ``mean`` over the places of the last map.

    Raises:
        OptionError: data that are no images, a size that the halvings do not divide, or no such map.
    """

    def __init__(
        self,
        channels: int | None,
        image_size: int | None,
        widths: Sequence[int] | None = None,
        halvings: int | None = None,
        attention_at: Sequence[int] = (),
        norm: str = "spectral",
        pooling: str = "sum",
    ) -> None:
        super().__init__()
        channels = require_channels(channels)
        require(norm in NORMS, "norm", norm, f"must be one of {', '.join(NORMS)}; spectral is the paper's")
        require(pooling in POOLINGS, "pooling", pooling, f"must be one of {', '.join(POOLINGS)}")
        size = image_size or 0
        known = ", ".join(map(str, BLOCKS))
        rule = f"has widths of its own for {known} pixels; model.discriminator.widths=[...] for another"
        require(size > 0 and (widths is not None or size in BLOCKS), "image_size", image_size, rule)
        if widths is None:
            widths, usual = BLOCKS[size]
        else:
            check_widths(widths)
            usual = next(
                n for n in range(len(widths), -1, -1) if n == 0 or (size % 2**n == 0 and size >> n >= 4)
            )
        halvings = usual if halvings is None else halvings
        fits = 0 <= halvings <= len(widths)
        require(fits, "halvings", halvings, f"must be from 0 to {len(widths)}, the number of blocks")
        rule = f"must be a multiple of {2**halvings} for {halvings} halvings; model.discriminator.halvings=N"
        require(size % 2**halvings == 0, "image_size", image_size, rule)
        sides = [size >> min(stage, halvings) for stage in range(1, len(widths) + 1)]
        check_attention(attention_at, sides)
        self.sample_shape = channels, size, size
        self.feature_dim, self.spectral, self.pooling = widths[-1], norm == "spectral", pooling
        wrap = wrapper(spectral=self.spectral)
        blocks: list[nn.Module] = []
        for number, (inputs, outputs) in enumerate(pairwise((channels, *widths))):
            blocks.append(_Block(inputs, outputs, is_first=number == 0, halves=number < halvings, wrap=wrap))
            if sides[number] in attention_at and sides[number] not in sides[:number]:
                blocks.append(SelfAttention2d(outputs, wrap))
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] in [-1, 1] to features [B, feature_dim]."""
        require_input(x, *self.sample_shape)
        features = relu(self.blocks(x))
        return features.sum((2, 3)) if self.pooling == "sum" else features.mean((2, 3))


class _Block(nn.Module):
    """ReLU (not of the image), 3x3, ReLU, 3x3, halving; beside it 1x1 and halving."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        is_first: bool,
        halves: bool,
        wrap: Callable[[nn.Module], nn.Module],
    ) -> None:
        super().__init__()
        self.is_first, self.halves = is_first, halves
        hidden = outputs if is_first else inputs  # as in the authors' code
        self.conv1 = wrap(conv3x3(inputs, hidden))
        self.conv2 = wrap(conv3x3(hidden, outputs))
        self.shortcut = wrap(conv1x1(inputs, outputs)) if halves or inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H, W], or half the sides."""
        branch = self.conv2(relu(self.conv1(x if self.is_first else relu(x))))
        if not self.halves:
            return branch + (x if self.shortcut is None else self.shortcut(x))
        # A convolution of single places and a mean commute: halved first, it costs a quarter.
        assert self.shortcut is not None
        return halved(branch) + self.shortcut(halved(x))

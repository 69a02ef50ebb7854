"""What decoders of images share: the grid of latents that an image has, its size, and its range."""

from __future__ import annotations

import math

from torch import Tensor, nn

from ganvas.errors import require
from ganvas.functional.padding import cut_to, padded_side
from ganvas.model.layers.basic import require_image_shape

OUTPUTS = ("linear", "tanh")


class ImageGrid:
    """How images of one shape lie on a grid of latents, one for each square of ``multiple`` pixels.

    An encoder pads images to whole squares (:func:`ganvas.functional.padding.pad_to_multiple`), and a decoder
    cuts its own to what went in.

    Attributes:
        channels, height, width: of one image.
        sides: height and width of the grid.
        places: its number of latents.

    Args:
        sample_shape: [C, H, W] of one image.
        multiple: side of a square, pixels.

    Raises:
        OptionError: a shape that is none of an image.
    """

    def __init__(self, sample_shape: list[int], multiple: int) -> None:
        self.channels, self.height, self.width = require_image_shape(sample_shape)
        self.sides = tuple(padded_side(side, multiple) // multiple for side in (self.height, self.width))
        self.places = math.prod(self.sides)

    def cut(self, images: Tensor) -> Tensor:
        """Images [B, C, h * multiple, w * multiple] of the whole grid to [B, C, H, W]."""
        return cut_to(images, self.height, self.width)


def output_layers(output: str) -> list[nn.Module]:
    """What stands behind a decoder's last layer: nothing, or a tanh that keeps images in (-1, 1).

    Raises:
        OptionError: an output that there is not.
    """
    require(output in OUTPUTS, "output", output, f"must be {' or '.join(OUTPUTS)}")
    return [nn.Tanh()] if output == "tanh" else []

"""Changes of an image's colours (Karras 2020, arXiv:2006.06676, appendix B)."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor


class Colour(NamedTuple):
    """Changes of B images, in the order in which they are applied.

    Each acts on the grey axis (1, 1, 1) and on the plane across it apart, so that all together are one 3x3
    matrix (P the projection onto the axis, K its cross product) after the offset:

        contrast (luma_flip P + saturation (cos(hue) (1 - P) + sin(hue) K)) (colour + brightness)
    """

    brightness: Tensor  # [B], added
    contrast: Tensor  # [B], times
    luma_flip: Tensor  # [B], 1, or -1: the grey part changes its sign
    hue: Tensor  # [B], radians about the grey axis
    saturation: Tensor  # [B], times the part across the grey axis

    def __call__(self, x: Tensor) -> Tensor:
        """[B, 1 or 3, H, W] to the same shape; grey images have neither hue nor saturation."""
        parts = (self.contrast * self.luma_flip, self.brightness, self.contrast * self.saturation, self.hue)
        grey, brightness, across, hue = (part[:, None, None, None] for part in parts)  # [B, 1, 1, 1] each
        if x.shape[1] == 1:
            return x * grey + grey * brightness
        along, turned = across * hue.cos(), across * hue.sin()
        cross = (x.roll(1, 1) - x.roll(-1, 1)) / math.sqrt(3)  # of the grey axis' unit vector and x
        mean = x.mean(dim=1, keepdim=True)
        return along * x + ((grey - along) * mean + grey * brightness) + turned * cross

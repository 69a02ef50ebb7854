"""Geometric changes of images (Karras 2020, arXiv:2006.06676, appendix B).

Positions are in pixels about the image's centre, x to the right and y down; turns are clockwise.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ganvas.model.augment.resampling import resample


class Blit(NamedTuple):
    """Changes of B images that copy pixels as they are, in the order in which they are applied."""

    flip: Tensor  # bool [B], left and right are exchanged
    quarter_turns: Tensor  # int64 [B], 0 to 3
    shift: Tensor  # int64 [B, 2], (x, y)

    def __call__(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same shape; beyond its borders an image goes on by reflection.

        A quarter turn of an image that is not square ends half a pixel off where H + W is odd.
        """
        height, width = x.shape[2:]
        rows = 2 * torch.arange(height, device=x.device) - (height - 1)  # half pixels about the centre
        columns = 2 * torch.arange(width, device=x.device) - (width - 1)
        at_y = (rows - 2 * self.shift[:, 1:])[:, :, None]  # [B, H, 1]
        at_x = (columns - 2 * self.shift[:, :1])[:, None, :]  # [B, 1, W]
        turns = self.quarter_turns[:, None, None]
        cos, sin = (1 - turns) * (1 - turns % 2), (2 - turns) * (turns % 2)
        mirror = 1 - 2 * self.flip.long()[:, None, None]
        from_x = _reflected(mirror * (cos * at_x + sin * at_y), width)  # [B, H, W]
        from_y = _reflected(cos * at_y - sin * at_x, height)
        source = (from_y * width + from_x).flatten(1)[:, None, :]  # [B, 1, H W]
        return x.flatten(2).gather(2, source.expand(-1, x.shape[1], -1)).view_as(x)


def _reflected(halves: Tensor, size: int) -> Tensor:
    """Half pixels about the centre to the pixel's number that reflection shows there, 0 to size - 1."""
    period = 2 * (size - 1)
    number = ((halves + size - 1) >> 1) % period
    return torch.minimum(number, period - number)


class Warp(NamedTuple):
    """Changes of B images that resample them, in the order in which they are applied; all float."""

    scale: Tensor  # [B], 2 is twice as large
    turn: Tensor  # [B], radians
    stretch: Tensor  # [B], times as long in x, and as many times shorter in y
    second_turn: Tensor  # [B], radians
    slide: Tensor  # [B, 2], (x, y), pixels

    def __call__(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same shape, see :func:`resample`."""
        shrink = torch.stack([1 / self.stretch, self.stretch], dim=1)  # [B, 2]
        first, second = _turn_back(self.turn), shrink[:, :, None] * _turn_back(self.second_turn)
        a = (first[:, :, :, None] * second[:, None]).sum(
            2
        )  # their product, whatever its precision is elsewhere
        a = a / self.scale[:, None, None]  # [B, 2, 2], from a place of the result to its source
        return resample(x, a, -(a * self.slide[:, None, :]).sum(2))


def _turn_back(angle: Tensor) -> Tensor:
    """[B] radians to the matrices [B, 2, 2] that undo the turn."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, sin, -sin, cos], dim=1).view(-1, 2, 2)

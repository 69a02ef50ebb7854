"""A point of a rate-distortion curve, and the pooled error that it rests on."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ganvas.functional.contracts import unlike


class Point(NamedTuple):
    """One way to say images.

    Attributes:
        setting: what was chosen, e.g. ``quality 5``.
        bits: bits an image.
        psnr: dB, of the error pooled over all images, range 255; infinite where there is none.
    """

    setting: str
    bits: float
    psnr: float


class PooledError:
    """Squared error of images uint8, summed as integers, so that the order of batches does not matter."""

    def __init__(self) -> None:
        self.sum, self.count = 0, 0

    def update(self, original: Tensor, decoded: Tensor) -> None:
        """Adds images uint8 of any one shape.

        Raises:
            ValueError: images that are not uint8, or of two shapes.
        """
        if original.shape != decoded.shape:
            raise unlike(original=original, decoded=decoded)
        if original.dtype != torch.uint8 or decoded.dtype != torch.uint8:
            raise ValueError(f"images are {original.dtype} and {decoded.dtype}: must be uint8")
        self.sum += int((original.long() - decoded.cpu().long()).square().sum())
        self.count += original.numel()

    def psnr(self) -> float:
        """-10 log10 (mean squared error / 255^2), dB."""
        if not self.count:
            return math.nan
        return -10 * math.log10(self.sum / self.count / 255**2) if self.sum else math.inf

"""The one shape in which every data set hands over its samples."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """What a recipe gets.

    Attributes:
        x: the samples; pictures float32 [B, C, H, W] in [-1, 1], points float32 [B, 2].
        label: classes, int64 [B], or None where the data has none.
    """

    x: Tensor
    label: Tensor | None


class StoredBatch(NamedTuple):
    """What a loader hands over: rows as they are stored, before the device's share of the work.

    Attributes:
        x: pictures uint8 [B, C, H, W], or points float32 [B, 2].
        label: int64 [B] or None.
        row: int64 [B], each sample's number in the split; augmentation is a function of it.
    """

    x: Tensor
    label: Tensor | None
    row: Tensor

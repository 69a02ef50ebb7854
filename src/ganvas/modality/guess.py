"""The modality of data that declare none, by how they are stored."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ganvas.modality.image import Image
from ganvas.modality.interface import Modality
from ganvas.modality.points import Points, Values


def modality_of(shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Modality:
    """Images of what is uint8 or has three sides [C, H, W], points of [2], else values.

    Args:
        shape: of one stored sample.
        dtype: it is stored as.
    """
    if len(shape) == 3 or dtype == torch.uint8:
        return Image()
    return Points() if list(shape) == [2] else Values()


def modality_of_split(x: Tensor) -> Modality:
    """The same, of a split [N, ...]."""
    return modality_of(tuple(x.shape[1:]), x.dtype)

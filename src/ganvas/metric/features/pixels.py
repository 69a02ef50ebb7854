"""Pixels as features: needs no weights; a coarse distance, for points and for tests of a setup."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganvas.errors import require
from ganvas.functional.batch import DataFacts
from ganvas.metric.interface import Features


class Pixels:
    """Images averaged down to at most ``size`` x ``size`` and flattened; points as they are.

    Args:
        size: largest side, pixels; smaller images are not enlarged.

    Raises:
        OptionError: a size below 1.
    """

    cacheable = False  # to make them again costs less than to read them

    def __init__(self, size: int = 8) -> None:
        require(size > 0, "size", size, "must be at least 1 pixel; 8 gives 64 features a channel")
        self.size = size
        self.protocol: dict[str, object] = {
            "name": "pixels",
            "resizer": "area average, not enlarged",
            "size": size,
            "value_range": "[-1, 1], not clamped",
            "dtype": "float32",
        }

    def check(self, facts: DataFacts) -> None:
        """Takes anything."""

    def __call__(self, x: Tensor) -> Features:
        """Samples [B, ...] in [-1, 1] to features float32 [B, F]."""
        if x.ndim == 4:
            height, width = (min(side, self.size) for side in x.shape[2:])
            x = adaptive_avg_pool2d(x.float(), (height, width))  # [B, C, h, w]
        return Features(x.float().flatten(1))

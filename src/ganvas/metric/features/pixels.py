"""Samples themselves as features, in few numbers: no weights; coarse, for points and for tests of a setup."""

from __future__ import annotations

from torch import Tensor

from ganvas.errors import require
from ganvas.functional.batch import DataFacts
from ganvas.metric.interface import Features
from ganvas.modality.guess import modality_of
from ganvas.modality.interface import Modality, values_protocol


class Pixels:
    """Images averaged down to at most ``size`` x ``size`` and flattened, points as they are; samples of
    another kind by what its modality takes of them (``ganvas.modality.interface.Modality.summary``), which
    names itself in the protocol: sounds by statistics of their mel bands.

    Args:
        size: largest side, pixels; smaller images are not enlarged.

    Raises:
        OptionError: a size below 1.
    """

    cacheable = False  # to make them again costs less than to read them

    def __init__(self, size: int = 8) -> None:
        require(size > 0, "size", size, "must be at least 1 pixel; 8 gives 64 features a channel")
        self.size = size
        self.protocol: dict[str, object] = values_protocol(size)
        self._modality: Modality | None = None

    def check(self, facts: DataFacts) -> None:
        """Takes anything, as what the data say that it is."""
        shape = facts.sample_shape
        self._modality = facts.modality if isinstance(facts.modality, Modality) else modality_of(shape)
        self.protocol = self._modality.summary_protocol(shape, self.size)

    def __call__(self, x: Tensor) -> Features:
        """Samples [B, ...] in [-1, 1] to features float32 [B, F]."""
        modality = self._modality or modality_of(x.shape[1:])
        return Features(modality.summary(x, self.size))

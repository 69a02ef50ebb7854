"""What a recipe asks of a reconstruction loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

from ganvas.functional.contracts import put_contracts, unlike
from ganvas.functional.precision import WIDE, at_least_float32


class ReconstructionLoss(ABC):
    """A distance between samples and what came back through the bottleneck.

    What a subclass writes gets float32 (float64 where they are); two shapes raise ValueError, for they would
    be broadcast.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        put_contracts(cls, __call__=_of_one_shape)

    @abstractmethod
    def __call__(self, *, reconstruction: Tensor, target: Tensor) -> Tensor:
        """Two tensors [B, ...] of one shape, about [-1, 1], to a scalar mean with a gradient."""


def _of_one_shape(loss: Any) -> Any:
    def checked(self: ReconstructionLoss, *, reconstruction: Tensor, target: Tensor) -> Any:
        if reconstruction.shape != target.shape:
            raise unlike(reconstruction=reconstruction, target=target)
        if reconstruction.dtype not in WIDE or target.dtype not in WIDE:
            reconstruction, target = at_least_float32(reconstruction), at_least_float32(target)
        return loss(self, reconstruction=reconstruction, target=target)

    return checked

"""Huber's loss (Huber 1964, Annals of Mathematical Statistics 35): squared near zero, absolute beyond."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ganvas.errors import require_number
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss


class Huber(ReconstructionLoss):
    """Mean over all elements of d^2 / 2 where |d| <= delta, else of delta (|d| - delta / 2).

    Args:
        delta: the error up to which it is squared, in units of samples, which lie in [-1, 1].
        weight: what it is multiplied by.

    Raises:
        OptionError: a delta or a weight that is not positive.
    """

    def __init__(self, delta: float = 0.1, weight: float = 1.0) -> None:
        super().__init__(weight)
        require_number("delta", delta, "errors of samples are at most 2", positive=True)
        self.delta = delta

    def __call__(self, *, reconstruction: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(reconstruction, target, delta=self.delta)

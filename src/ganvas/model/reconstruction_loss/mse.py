"""Mean squared error (van den Oord 2017, arXiv:1711.00937: a Gaussian decoder of fixed variance)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ganvas.model.reconstruction_loss.interface import ReconstructionLoss


class MSE(ReconstructionLoss):
    """mean((reconstruction - target)^2) over all elements.

    Args:
        weight: what it is multiplied by.

    Raises:
        OptionError: a weight that is not positive.
    """

    def __call__(self, *, reconstruction: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(reconstruction, target)

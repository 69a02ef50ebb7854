"""Mean absolute error (a Laplacian decoder of fixed scale): sharper edges than the squared error's."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ganvas.model.reconstruction_loss.interface import ReconstructionLoss


class L1(ReconstructionLoss):
    """mean(|reconstruction - target|) over all elements.

    Args:
        weight: what it is multiplied by.

    Raises:
        OptionError: a weight that is not positive.
    """

    def __call__(self, *, reconstruction: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(reconstruction, target)

"""Cross entropy of symbols: minus the log probability that a decoder gives them (a categorical decoder)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ganvas.functional.precision import at_least_float32
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss


class CrossEntropy(ReconstructionLoss):
    """mean(-log softmax(logits)[target]), in nats a symbol.

    Args:
        weight: what it is multiplied by.

    Raises:
        OptionError: a weight that is not positive.
    """

    of_logits = True

    def __call__(self, *, reconstruction: Tensor, target: Tensor) -> Tensor:
        """Logits [B, V, ...] and symbols int64 [B, ...]."""
        return F.cross_entropy(at_least_float32(reconstruction), target)

"""Binary cross entropy of pixels as probabilities (Kingma & Welling 2014, arXiv:1312.6114, appendix C.1)."""

from __future__ import annotations

from torch import Tensor

from ganvas.model.reconstruction_loss.interface import ReconstructionLoss

_SMALLEST = 2.0**-25  # the least p other than 0 that a reconstruction in float32 can mean


class BCE(ReconstructionLoss):
    """Mean over all elements of -t log p - (1 - t) log(1 - p), with p = (reconstruction + 1) / 2, t likewise.

    Samples stay images in [-1, 1], as every reader of them takes them: the decoder has to keep to that range
    (``is_bounded``). With a tanh, p = (tanh a + 1) / 2 is the sigmoid of 2 a, so this is the usual loss of
    logits, and its gradient by a, 2 (p - t), does not fade where p is wrong. Outside the range it is that of
    the nearest end, without a gradient. The least value is the entropy of t, which is 0 for t of 0 and 1.

    Args:
        weight: what it is multiplied by.

    Raises:
        OptionError: a weight that is not positive.
    """

    needs_bounded = True

    def __call__(self, *, reconstruction: Tensor, target: Tensor) -> Tensor:
        p, t = ((reconstruction + 1) / 2).clamp(0, 1), (target + 1) / 2
        losses = t * p.clamp(min=_SMALLEST).log() + (1 - t) * (1 - p).clamp(min=_SMALLEST).log()
        return -losses.mean()

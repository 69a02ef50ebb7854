"""Values of samples that have several each, one a patch."""

from __future__ import annotations

from torch import Tensor


def mean_of_samples(values: Tensor) -> Tensor:
    """One value a sample, [B], of values [B] or [B, ...]: the mean over its patches.

    A discriminator of patches says of a sample what its adversarial loss reads, a mean over the patches. So
    its gradient, its sign and its rank do not depend on how many patches there are.
    """
    return values if values.ndim < 2 else values.flatten(1).mean(1)

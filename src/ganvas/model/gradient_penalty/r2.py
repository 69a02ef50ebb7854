"""The R2 penalty (Mescheder 2018, arXiv:1801.04406, equation 10)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ganvas.functional.gradients import mean_squared_gradient
from ganvas.model.gradient_penalty.squared_gradient import SquaredGradientPenalty


class R2(SquaredGradientPenalty):
    """gamma/2 E |grad D(x)|^2 at generated samples x, times ``interval``.

    Args: see :class:`ganvas.model.gradient_penalty.squared_gradient.SquaredGradientPenalty`.
    """

    at = frozenset({"fake"})

    def squares(self, discriminator: Callable[[Tensor], Tensor], *, real: Tensor, fake: Tensor) -> Tensor:
        return mean_squared_gradient(discriminator, fake)

"""R1 and R2 together, as R3GAN has them (Huang 2024, arXiv:2501.05441, section 2.2)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ganvas.functional.gradients import mean_squared_gradient
from ganvas.model.gradient_penalty.squared_gradient import SquaredGradientPenalty


class R1R2(SquaredGradientPenalty):
    """gamma/2 (E |grad D(x)|^2 at real + E |grad D(x)|^2 at generated samples), times ``interval``.

    Args: see :class:`ganvas.model.gradient_penalty.squared_gradient.SquaredGradientPenalty`.
    """

    at = frozenset({"real", "fake"})

    def squares(self, discriminator: Callable[[Tensor], Tensor], *, real: Tensor, fake: Tensor) -> Tensor:
        return mean_squared_gradient(discriminator, real) + mean_squared_gradient(discriminator, fake)

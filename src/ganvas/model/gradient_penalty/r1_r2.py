"""R1 and R2 together, as R3GAN has them (Huang 2024, arXiv:2501.05441, section 2.2)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ganvas.errors import require
from ganvas.functional.gradients import mean_squared_gradient
from ganvas.functional.random import Draws
from ganvas.model.gradient_penalty.interface import GradientPenalty


class R1R2(GradientPenalty):
    """gamma/2 (E |grad D(x)|^2 at real + E |grad D(x)|^2 at generated samples), times ``interval``.

    Args:
        gamma: strength of each; a sample's squared gradient is summed over its elements.
        interval: discriminator steps from one penalty to the next.

    Raises:
        OptionError: a ``gamma`` that is not positive, or an ``interval`` below 1.
    """

    def __init__(self, gamma: float = 1.0, interval: int = 1) -> None:
        require(gamma > 0, "gamma", gamma, "must be positive; model/gradient_penalty=none switches it off")
        require(interval >= 1, "interval", interval, "must be at least 1; 1 penalizes every step")
        self.gamma, self.interval = gamma, interval

    def __call__(
        self, discriminator: Callable[[Tensor], Tensor], *, real: Tensor, fake: Tensor, draws: Draws
    ) -> Tensor:
        squares = mean_squared_gradient(discriminator, real) + mean_squared_gradient(discriminator, fake)
        return self.interval * self.gamma / 2 * squares

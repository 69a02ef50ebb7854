"""The R1 penalty (Mescheder 2018, arXiv:1801.04406, equation 9)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ganvas.errors import require
from ganvas.functional.gradients import mean_squared_gradient
from ganvas.functional.random import Draws
from ganvas.model.gradient_penalty.interface import GradientPenalty


class R1(GradientPenalty):
    """gamma/2 E |grad D(x)|^2 at real samples x, times ``interval``.

    Args:
        gamma: strength; a sample's squared gradient is summed over its elements.
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
        return self.interval * self.gamma / 2 * mean_squared_gradient(discriminator, real)

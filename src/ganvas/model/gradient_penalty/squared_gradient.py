"""What R1, R2 and their sum share: the squared gradient of the discriminator at samples of some kind."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from torch import Tensor

from ganvas.errors import require_whole
from ganvas.functional.random import Draws
from ganvas.functional.schedule import Schedule
from ganvas.model.gradient_penalty.interface import POSITIVE, GradientPenalty


class SquaredGradientPenalty(GradientPenalty):
    """gamma/2 E |grad D(x)|^2, times ``interval``; a subclass says at which samples x.

    Args:
        gamma: strength; a sample's squared gradient is summed over its elements.
        interval: discriminator steps from one penalty to the next.

    Raises:
        OptionError: a ``gamma`` that is not positive, or an ``interval`` below 1.
    """

    gamma: float

    def __init__(self, gamma: float | Schedule = 1.0, interval: int = 1) -> None:
        self.set_strength("gamma", gamma, POSITIVE)
        require_whole("interval", interval, 1, "1 penalizes every step")
        self.interval = interval

    def __call__(
        self, discriminator: Callable[[Tensor], Tensor], *, real: Tensor, fake: Tensor, draws: Draws
    ) -> Tensor:
        return self.interval * self.gamma / 2 * self.squares(discriminator, real=real, fake=fake)

    @abstractmethod
    def squares(self, discriminator: Callable[[Tensor], Tensor], *, real: Tensor, fake: Tensor) -> Tensor:
        """E |grad D(x)|^2, a scalar with a graph for double backward; arguments as those of the penalty."""

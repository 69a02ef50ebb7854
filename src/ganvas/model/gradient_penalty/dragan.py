"""The penalty of DRAGAN (Kodali 2017, arXiv:1705.07215, algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganvas.errors import require_number, require_whole
from ganvas.functional.gradients import input_gradient
from ganvas.functional.random import Draws
from ganvas.functional.schedule import Schedule
from ganvas.model.gradient_penalty.interface import POSITIVE, GradientPenalty


class DRAGAN(GradientPenalty):
    """weight E (|grad D(x + delta)| - 1)^2 around real samples x, times ``interval``.

    delta is spread a u: a uniform in [0, 1) for each sample, u uniform in [0, 1) for each of its values. In
    the authors' code the spread is half the standard deviation of the batch at hand. Here it is a number, so
    that the shares of ranks and of micro-batches add up to the batch.

    Args:
        weight: lambda of the paper.
        spread: largest change of a value, in units of the data, which lie in [-1, 1].
        interval: discriminator steps from one penalty to the next.

    Raises:
        OptionError: a ``weight`` or a ``spread`` that is not positive, or an ``interval`` below 1.
    """

    weight: float

    def __init__(self, weight: float | Schedule = 10.0, spread: float = 0.3, interval: int = 1) -> None:
        self.set_strength("weight", weight, POSITIVE)
        require_number("spread", spread, "0.3 is half of usual images' deviation", positive=True)
        require_whole("interval", interval, 1, "1 penalizes every step")
        self.spread, self.interval = spread, interval

    def __call__(
        self, discriminator: Callable[[Tensor], Tensor], *, real: Tensor, fake: Tensor, draws: Draws
    ) -> Tensor:
        share = draws.uniform("dragan/share", len(real)).view(-1, *[1] * (real.ndim - 1))  # [B, 1, ...]
        noise = share * draws.uniform("dragan/noise", *real.shape)  # [B, ...]
        near = real.detach() + self.spread * noise.to(real.dtype)
        # vector_norm's derivative at zero is zero, sqrt's is infinite: a critic may start at zero weights
        norm = torch.linalg.vector_norm(input_gradient(discriminator, near), dim=1)  # [B]
        return self.interval * self.weight * (norm - 1).square().mean()

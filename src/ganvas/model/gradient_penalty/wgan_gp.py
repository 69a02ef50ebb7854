"""The gradient penalty of WGAN-GP (Gulrajani 2017, arXiv:1704.00028, equation 3)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganvas.errors import require_whole
from ganvas.functional.gradients import input_gradient
from ganvas.functional.random import Draws
from ganvas.functional.schedule import Schedule
from ganvas.model.gradient_penalty.interface import POSITIVE, GradientPenalty


class WGANGP(GradientPenalty):
    """weight E (|grad D(x)| - 1)^2 at x = epsilon real + (1 - epsilon) fake, times ``interval``.

    One epsilon per pair; the norm is each sample's own, over all its elements.

    Args:
        weight: lambda of the paper.
        interval: discriminator steps from one penalty to the next.

    Raises:
        OptionError: a ``weight`` that is not positive, or an ``interval`` below 1.
    """

    weight: float

    def __init__(self, weight: float | Schedule = 10.0, interval: int = 1) -> None:
        self.set_strength("weight", weight, POSITIVE)
        require_whole("interval", interval, 1, "1 penalizes every step")
        self.interval = interval

    def __call__(
        self, discriminator: Callable[[Tensor], Tensor], *, real: Tensor, fake: Tensor, draws: Draws
    ) -> Tensor:
        if len(real) != len(fake):
            raise ValueError(f"{len(real)} real samples and {len(fake)} fake ones: must be pairs")
        epsilon = draws.uniform("wgan_gp", real.shape[0]).to(real.dtype)  # [B]
        epsilon = epsilon.view(-1, *[1] * (real.ndim - 1))  # [B, 1, ...]
        mixed = epsilon * real.detach() + (1 - epsilon) * fake.detach()
        # vector_norm's derivative at zero is zero, sqrt's is infinite: a critic may start at zero weights
        norm = torch.linalg.vector_norm(input_gradient(discriminator, mixed), dim=1)  # [B]
        return self.interval * self.weight * (norm - 1).square().mean()

"""LeCam regularization (Tseng 2021, arXiv:2104.03310, equation 6)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import relu

from ganvas.errors import require
from ganvas.functional.precision import at_least_float32
from ganvas.functional.schedule import Schedule
from ganvas.model.regularizer.interface import Game, Regularizer


class LeCam(Regularizer):
    """weight (E relu(D(x) - a_F)^2 + E relu(a_R - D(G(z)))^2).

    The anchors a_R and a_F are running means of the real and the fake logits: a discriminator that is sure of
    itself, as on few samples, is pulled back to what it said before.

    Args:
        weight: lambda of the paper; on few samples it has 0.3, on many 0.01 and less.
        decay: of the running means, a discriminator step.
        start: examples seen before the term acts; until then the anchors only follow.

    Raises:
        OptionError: a ``weight`` that is not positive, a ``decay`` outside [0, 1), a negative ``start``.
    """

    observes = True
    weight: float
    real_anchor: Tensor
    fake_anchor: Tensor

    def __init__(self, weight: float | Schedule = 0.3, decay: float = 0.99, start: int = 64_000) -> None:
        super().__init__()
        self.set_strength("weight", weight, "must be positive; leave lecam out")
        require(0 <= decay < 1, "decay", decay, "must be in [0, 1); 0.99 is usual")
        require(start >= 0, "start", start, "must be 0 or more examples")
        self.decay, self.start = decay, start
        self.register_buffer("real_anchor", torch.zeros(()))
        self.register_buffer("fake_anchor", torch.zeros(()))

    def discriminator(self, game: Game) -> Tensor | None:
        if game.examples_seen < self.start:
            return None
        assert game.real_logits is not None
        real, fake = at_least_float32(game.real_logits), at_least_float32(game.fake_logits)
        # As they are now: the step's own means move the buffers before its gradients are asked for.
        above = relu(real - self.fake_anchor.clone()).square().mean()
        below = relu(self.real_anchor.clone() - fake).square().mean()
        return self.weight * (above + below)

    def out_of_reach(self, examples: int) -> list[str]:
        if self.start < examples:
            return []
        return [f"start={self.start}: it acts from there on, and the run ends after {examples:,} examples"]

    @torch.no_grad()
    def observe(self, real_logits: Tensor, fake_logits: Tensor) -> None:
        self.real_anchor.lerp_(real_logits.to(self.real_anchor), 1 - self.decay)
        self.fake_anchor.lerp_(fake_logits.to(self.fake_anchor), 1 - self.decay)

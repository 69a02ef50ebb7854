"""LeCam regularization (Tseng 2021, arXiv:2104.03310, equation 6)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import relu

from ganvas.errors import require, require_whole
from ganvas.functional.precision import at_least_float32
from ganvas.functional.schedule import Schedule
from ganvas.model.regularizer.interface import Game, Regularizer


class LeCam(Regularizer):
    """weight (E relu(D(x) - a_F)^2 + E relu(a_R - D(G(z)))^2).

    The anchors a_R and a_F are running means of the real and the fake logits: a discriminator that is sure of
    itself, as on few samples, is pulled back to what it said before. They are means from the first step on:
    the n steps so far weigh 1 - decay^n together, by which they are divided. Before it the term is 0.

    Args:
        weight: lambda of the paper; on few samples it has 0.3, on many 0.01 and less.
        decay: of the running means, a discriminator step.
        start: examples seen before the term acts; until then the anchors only follow.

    Raises:
        OptionError: a ``weight`` that is not positive, a ``decay`` outside [0, 1), a negative ``start``.
    """

    observes = True
    weight: float
    real_sum: Tensor
    fake_sum: Tensor
    weight_sum: Tensor

    def __init__(self, weight: float | Schedule = 0.3, decay: float = 0.99, start: int = 64_000) -> None:
        super().__init__()
        self.set_strength("weight", weight, "must be positive; leave lecam out")
        require(0 <= decay < 1, "decay", decay, "must be in [0, 1); 0.99 is usual")
        require_whole("start", start, 0, "64000 is usual")
        self.decay, self.start = decay, start
        for name in ("real_sum", "fake_sum", "weight_sum"):
            self.register_buffer(name, torch.zeros(()))

    def discriminator(self, game: Game) -> Tensor | None:
        if game.examples_seen < self.start:
            return None
        assert game.real_logits is not None
        real, fake = at_least_float32(game.real_logits), at_least_float32(game.fake_logits)
        # new tensors: the step's own means move the buffers before its gradients are asked for
        observed = self.weight_sum.clamp(min=torch.finfo(self.weight_sum.dtype).tiny)
        above = relu(real - self.fake_sum / observed).square().mean()
        below = relu(self.real_sum / observed - fake).square().mean()
        return self.weight * (self.weight_sum > 0) * (above + below)

    def out_of_reach(self, examples: int) -> list[str]:
        if self.start < examples:
            return []
        return [f"start={self.start}: it acts from there on, and the run ends after {examples:,} examples"]

    @torch.no_grad()
    def observe(self, real_logits: Tensor, fake_logits: Tensor) -> None:
        for total, value in ((self.real_sum, real_logits), (self.fake_sum, fake_logits)):
            total.lerp_(value.to(total), 1 - self.decay)
        self.weight_sum.lerp_(torch.ones_like(self.weight_sum), 1 - self.decay)

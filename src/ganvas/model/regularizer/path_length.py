"""Path length regularization (Karras 2020, arXiv:1912.04958, section 3.2 and equation 4)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.errors import require, require_whole
from ganvas.functional.keyed_random import keys_of
from ganvas.functional.precision import at_least_float32
from ganvas.functional.schedule import Schedule
from ganvas.model.regularizer.interface import Game, Regularizer

_DECAY = 0.01  # share of a step's mean length in the running mean


class PathLength(Regularizer):
    """A step in w changes an image by the same length everywhere, in all directions.

        weight E (|J_w' y| - a)^2 times ``interval``, y from N(0, 1) / sqrt(H W) of an image's shape

    J_w is the generator's Jacobian, |.|^2 a mean over its layers' styles, and a the running mean of the
    lengths, that of this step in it: the gradient flows through a too, as in the authors' code. Every second
    sample of the batch is looked at. Noise and mixed styles are those of the samples themselves.

    Where the shares of ranks and micro-batches are odd, they hold other second samples than the whole batch.

    Args:
        weight: of the term.
        interval: generator steps from one to the next.

    Attributes:
        mean: a, before this step; it takes up ``next_mean`` when the next step begins.

    Raises:
        OptionError: a ``weight`` that is not positive, or an ``interval`` below 1.
    """

    differentiates = True
    weight: float
    mean: Tensor
    next_mean: Tensor

    def __init__(self, weight: float | Schedule = 2.0, interval: int = 4) -> None:
        super().__init__()
        rule = "must be positive; leave path_length out"
        self.set_strength("weight", weight, rule)
        require_whole("interval", interval, 1, "1 acts at every step")
        self.interval = interval
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("next_mean", torch.zeros(()))

    def begin_step(self) -> None:
        """Takes up what the step before has found."""
        self.mean.copy_(self.next_mean)

    def generator(self, game: Game) -> Tensor:
        network: Any = game.generator
        z, label = game.z[::2], None if game.label is None else game.label[::2]
        noise = game.draws.normal("path_length", len(z), *game.made.shape[1:])
        styles = network.styles(z, label)  # [B / 2, layers, w_dim]
        images = network.synthesize(styles, keys_of(z))
        seen = (images * (noise / math.sqrt(noise[0, 0].numel())).to(images.dtype)).sum()
        (gradient,) = torch.autograd.grad(seen, styles, create_graph=True)
        # vector_norm's derivative at zero is zero, sqrt's is infinite
        layers = styles.shape[1]
        lengths = torch.linalg.vector_norm(at_least_float32(gradient).flatten(1), dim=1) / math.sqrt(layers)

        # Over all ranks and micro-batches, and without a graph:
        average = game.whole_batch(lengths).mean()
        mean = torch.lerp(self.mean.to(average.dtype), average, _DECAY)
        with torch.no_grad():
            self.next_mean.copy_(mean)
        # ... so that what flows through a is written down: d/da E (length - a)^2 da = -2 (average - a) da
        through_mean = -2 * (average - mean) * _DECAY * (lengths - lengths.detach()).mean()
        return self.interval * self.weight * ((lengths - mean).square().mean() + through_mean)

    def check(self, generator: nn.Module, x: Tensor) -> None:
        has_styles = hasattr(generator, "styles") and hasattr(generator, "synthesize")
        rule = "is a generator without styles whose paths could be measured; model=style, or leave it out"
        require(has_styles, "regularizer.path_length", type(generator).__name__, rule)

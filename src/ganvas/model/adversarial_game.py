"""What recipes of an adversarial game share beside their networks: regularizers, and what these observe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from ganvas.functional.patches import mean_of_samples
from ganvas.model.regularizer.interface import Game, Regularizer


class Regularizers(nn.ModuleDict):
    """Several regularizers as one.

    Args:
        parts: by name; None: none.
    """

    def __init__(self, parts: Mapping[str, Regularizer] | None) -> None:
        super().__init__(parts or {})
        self._all: list[tuple[str, Regularizer]] = list((parts or {}).items())

    @property
    def interval(self) -> int:
        """Steps of a network after which each of them has acted once."""
        return math.lcm(*(one.interval for _, one in self._all))

    @property
    def observes(self) -> bool:
        return any(one.observes for _, one in self._all)

    @property
    def differentiates(self) -> bool:
        return any(one.differentiates for _, one in self._all)

    def terms(self, side: Literal["discriminator", "generator"], game: Game, steps: int) -> dict[str, Tensor]:
        """What they add to one network's loss, by its tag in the logs.

        Args:
            side: whose loss.
            game: the step.
            steps: that this network has made before.
        """
        found = {}
        for name, one in self._all:
            if steps % one.interval == one.interval - 1:
                term = getattr(one, side)(game)
                if term is not None:
                    found[f"loss/regularizer/{name}/{side}"] = term
        return found

    def chosen(self, game: Game) -> tuple[Tensor | None, Tensor, float]:
        """The logits [k] that the generator's adversarial loss reads, real and fake, and what it is times."""
        real, fake, factor = game.real_logits, game.fake_logits, 1.0
        for _, one in self._all:
            choice = one.choose(game)
            if choice is not None:
                index, share = choice
                real, fake, factor = None if real is None else real[index], fake[index], factor * share
        return real, fake, factor

    def observe(self, real_logits: Tensor, fake_logits: Tensor) -> None:
        for _, one in self._all:
            if one.observes:
                one.observe(real_logits, fake_logits)

    def out_of_reach(self, examples: int) -> list[str]:
        """What a run of so many examples never does of them, a line each: ``name.option=value: ...``."""
        return [f"{name}.{line}" for name, one in self._all for line in one.out_of_reach(examples)]

    def check(self, generator: nn.Module, x: Tensor) -> None:
        for _, one in self._all:
            one.check(generator, x)


class MeanLogits(nn.Module):
    """Means over the whole global batch of what a discriminator said: over its micro-batches and ranks.

    The harness makes floating buffers means over ranks before the step, and puts them back where there is
    none.

    Args:
        boundary: the logit from which the signs are taken.
    """

    total: Tensor
    parts: Tensor

    def __init__(self, boundary: float = 0.0) -> None:
        super().__init__()
        self.boundary = boundary
        self.register_buffer("total", torch.zeros(3))
        self.register_buffer("parts", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def add(self, real_logits: Tensor, fake_logits: Tensor) -> None:
        """Takes up the logits [B] of one part of the batch."""
        real, fake = mean_of_samples(real_logits).float(), mean_of_samples(fake_logits).float()
        means = real.mean(), fake.mean(), (real - self.boundary).sign().mean()
        self.total += torch.stack(means)
        self.parts += 1

    @torch.no_grad()
    def take(self) -> tuple[Tensor, Tensor, Tensor]:
        """Scalars: the means of the real logits, of the fake ones, and of the signs of the real ones
        less the boundary."""
        real, fake, sign = (self.total / self.parts.clamp(min=1)).unbind()
        self.total.zero_()
        self.parts.zero_()
        return real, fake, sign


def statistics_of_logits(
    real_logits: Tensor, fake_logits: Tensor, boundary: float | None
) -> dict[str, Tensor]:
    """What the logs show of logits of paired samples; equal logits of a pair count half.

    Args:
        boundary: what lies above it is called real; None: there is no accuracy but that of pairs.
    """
    real_logits, fake_logits = mean_of_samples(real_logits), mean_of_samples(fake_logits)  # [B]
    found = {
        "logits/real": real_logits.mean(),
        "logits/fake": fake_logits.mean(),
        "accuracy/pairs": ((real_logits - fake_logits).sign().mean() + 1) / 2,
    }
    if boundary is not None:
        found["accuracy/real"] = (real_logits > boundary).float().mean()
        found["accuracy/fake"] = (fake_logits <= boundary).float().mean()
    return found

"""One optimizer of a recipe, and what belongs to its step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn import Parameter
from torch.optim import Optimizer

from ganvas.functional.sharding import is_sharded
from ganvas.model.ema.interface import WeightAverage


@dataclass
class Descent:
    """What ``Recipe.add_optimizer`` was told, and what a run makes of it.

    Attributes:
        rates: the learning rate of each of the optimizer's groups, before the schedule.
        optimizer: set when training starts, as ``parameters``, ``network`` and ``scaler`` are.
        parameters: what it moves.
        network: the first one, whose average is kept.
        scaler: of the gradients under float16, else None.
    """

    name: str
    build: Callable[[Any], Optimizer]
    networks: tuple[str, ...]
    option: str = "optimizer"
    grad_clip: float | None = None
    average: WeightAverage | None = None
    interval: int = 1
    interval_option: str | None = None
    schedule: Callable[[int], float] | None = None
    after_step: Callable[[nn.Module], None] | None = None
    rates: list[float] = field(default_factory=list)
    optimizer: Optimizer = field(init=False)
    parameters: list[Parameter] = field(init=False)
    network: nn.Module = field(init=False)
    scaler: GradScaler | None = None

    def set_learning_rate(self, examples_seen: int) -> None:
        """Makes each group's rate that of now."""
        if self.schedule is not None:
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate * self.schedule(examples_seen)


def lay_moments_like_parameters(optimizer: Optimizer) -> None:
    """Puts the values of each moment into its parameter's order in memory; what they are stays.

    A checkpoint keeps the order of the run that wrote it, and the parameters of this one may have another
    (accelerator.channels_last). A fused kernel pairs the two by their places, not by their indices.
    """
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if not isinstance(value, Tensor) or value.shape != parameter.shape or is_sharded(parameter):
                continue
            if value.stride() != parameter.stride():
                values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def linear_decay(examples: int | None) -> Callable[[int], float] | None:
    """A schedule that falls linearly from 1 at the start to 0 at ``examples`` seen; None stays at 1."""
    if examples is None:
        return None
    return lambda examples_seen: max(0.0, 1 - examples_seen / examples)

"""One optimizer of a recipe, and what belongs to its step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn import Parameter
from torch.optim import Optimizer

from ganvas.functional.schedule import Schedule
from ganvas.functional.sharding import is_sharded
from ganvas.model.ema.interface import WeightAverage


@dataclass
class Descent:
    """What ``Recipe.add_optimizer`` was told, and what a run makes of it.

    Attributes:
        beside: modules without parameters whose buffers move with the step.
        touched: both.
        schedules: option of ``build`` -> how it moves, e.g. ``lr``.
        optimizer: set when training starts, as ``parameters``, ``network`` and ``scaler`` are.
        parameters: what it moves.
        network: the first one, whose average is kept.
        scaler: of the gradients under float16, else None.
    """

    name: str
    build: Callable[[Any], Optimizer]
    networks: tuple[str, ...]
    beside: tuple[str, ...] = ()
    option: str = "optimizer"
    grad_clip: float | None = None
    average: WeightAverage | None = None
    interval: int = 1
    interval_option: str | None = None
    after_step: Callable[[nn.Module], None] | None = None
    schedules: dict[str, Schedule] = field(init=False)
    touched: tuple[str, ...] = field(init=False)
    optimizer: Optimizer = field(init=False)
    parameters: list[Parameter] = field(init=False)
    network: nn.Module = field(init=False)
    scaler: GradScaler | None = None

    def __post_init__(self) -> None:
        self.touched = (*self.networks, *self.beside)
        keywords = self.build.keywords if isinstance(self.build, partial) else {}
        self.schedules = {key: value for key, value in keywords.items() if isinstance(value, Schedule)}

    def make(self, parameters: Sequence[Parameter]) -> Optimizer:
        """The optimizer, of schedules with their values at the start.

        Raises:
            OptionError: it refuses an option, of a schedule any of its extremes.
        """
        for key, schedule in self.schedules.items():
            for extreme in schedule.extremes:
                if extreme != 0 or key != "lr":  # where a rate ends at zero, nothing moves any more
                    self._built([Parameter(torch.zeros(1))], {key: extreme})
        return self._built(parameters, {})

    def _built(self, parameters: Sequence[Parameter], values: dict[str, float]) -> Optimizer:
        if not self.schedules:
            return self.build(parameters)
        at_start = {key: schedule(0) for key, schedule in self.schedules.items()}
        return self.build(parameters, **at_start | values)

    def move_options(self, examples_seen: int) -> None:
        """Sets what is scheduled of the optimizer to its value of now, in all its groups."""
        for group in self.optimizer.param_groups:
            for key, schedule in self.schedules.items():
                value = schedule(examples_seen)
                if key in ("beta1", "beta2"):
                    first, second = group["betas"]
                    group["betas"] = (value, second) if key == "beta1" else (first, value)
                else:
                    group[key] = value


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

"""One optimizer of a recipe: what it moves, and how a step of it is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn import Parameter
from torch.optim import Optimizer

from ganvas.functional.gradients import clip_gradients, gradient_norm
from ganvas.model.ema.interface import WeightAverage


class Descent:
    """See :meth:`ganvas.model.training.lifecycle.Lifecycle.add_optimizer` for the arguments.

    Attributes:
        rates: the learning rate of each of the optimizer's groups, before the schedule.
        optimizer: set when training starts, with ``parameters``, ``network`` and ``scaler``.
        parameters: what it moves.
        network: the one whose average is kept.
        scaler: under float16, one of its own: one network's overflow says nothing of another's.
    """

    optimizer: Optimizer
    parameters: list[Parameter]
    network: nn.Module

    def __init__(
        self,
        name: str,
        build: Callable[[Any], Optimizer],
        networks: tuple[str, ...],
        *,
        option: str,
        grad_clip: float | None,
        average: WeightAverage | None,
        interval: int,
        schedule: Callable[[int], float] | None,
    ) -> None:
        self.name, self.build, self.networks, self.option = name, build, networks, option
        self.grad_clip, self.average, self.interval, self.schedule = grad_clip, average, interval, schedule
        self.rates: list[float] = []
        self.scaler: GradScaler | None = None

    def start(self, optimizer: Optimizer, networks: Sequence[nn.Module], scaler: GradScaler | None) -> None:
        """Takes up what training begins with; sharding has replaced the parameters by now."""
        self.optimizer, self.scaler, self.network = optimizer, scaler, networks[0]
        self.parameters = [p for network in networks for p in network.parameters()]

    def prepare(self, examples_seen: int) -> Tensor:
        """The gradients' norm, unscaled, once the learning rate is that of now; every rank must call it."""
        if self.schedule is not None:
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate * self.schedule(examples_seen)
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        return gradient_norm(self.parameters)

    def step(self, norm: Tensor, examples: int) -> None:
        """Clips the gradients of this norm, moves the parameters, and their average by so many examples."""
        if self.grad_clip is not None:
            clip_gradients(self.parameters, self.grad_clip, norm)
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)  # passes over gradients that overflowed
            self.scaler.update()
        if self.average is not None:
            self.average.update(self.network, examples * self.interval)

    def skip(self) -> None:
        """Leaves everything as it is; a scaler takes note."""
        if self.scaler is not None:
            self.scaler.update()

    @property
    def learning_rate(self) -> Tensor:
        """Of the first group, for the logs."""
        return torch.tensor(self.optimizer.param_groups[0]["lr"])


def linear_decay(examples: int | None) -> Callable[[int], float] | None:
    """A schedule that falls linearly from 1 at no image seen to 0 at ``examples``; None stays at 1."""
    if examples is None:
        return None
    return lambda examples_seen: max(0.0, 1 - examples_seen / examples)

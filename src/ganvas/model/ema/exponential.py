"""An exponential moving average of a network's weights (Karras 2018, arXiv:1710.10196, section 6.1)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ganvas.errors import require_number
from ganvas.functional.schedule import Schedule, Scheduled
from ganvas.model.ema.interface import WeightAverage

_SHORTEST = 1e-3  # of a half-life, in examples: 0.5^1000 is zero, and so is the weight of the past


class ExponentialAverage(WeightAverage, Scheduled):
    """average <- d average + (1 - d) network, d = 0.5^(examples / h), so batch size does not matter.

        h = min(half_life, ramp * examples seen)

    Without the ramp (Karras 2020, arXiv:1912.04958, official code) a run that is not many half-lives long has
    an average that is mostly its untrained start.

    Parameters are averaged. Buffers are copied: BatchNorm's statistics are averages already and belong to
    the network's latest batches, spectral norm's vectors lose their length in an average, and counters are
    whole numbers.

    Args:
        half_life: training examples after which an old weight counts half; of a schedule it may be 0, where
            the average is the network itself.
        ramp: largest half-life as a share of the examples seen; None: no such limit.

    Raises:
        OptionError: a ``half_life`` or ``ramp`` that is not positive.
    """

    half_life: float

    def __init__(self, half_life: float | Schedule = 10_000.0, ramp: float | None = None) -> None:
        super().__init__()
        self.set_strength("half_life", half_life, "must be positive; model/ema=none switches it off")
        if ramp is not None:
            require_number("ramp", ramp, "null: the half-life alone", positive=True)
        self.ramp = ramp
        self._pairs: tuple[nn.Module | None, list[Tensor], list[Tensor]] = (None, [], [])

    def track(self, network: nn.Module) -> None:
        self.average = copy.deepcopy(network).eval().requires_grad_(False)

    def out_of_reach(self, examples: int) -> list[str]:
        if self.ramp is not None or self.schedules:
            return []
        start: float = 0.5 ** (examples / self.half_life)
        if start < 0.05:
            return []
        rule = f"{start:.0%} of the average is the untrained start after {examples:,} examples"
        return [f"half_life={self.half_life:g}: {rule}; model.ema.ramp=0.05"]

    def train(self, mode: bool = True) -> ExponentialAverage:
        """Stays in eval mode: the average makes images and never trains."""
        return super().train(False)

    @torch.no_grad()
    def update(self, network: nn.Module, examples: int | Tensor, seen: int) -> None:
        if self._pairs[0] is not network:  # not a walk through both networks at every step
            self._pairs = (network, list(self.average.parameters()), list(network.parameters()))
        _, averages, values = self._pairs
        half_life = self.half_life if self.ramp is None else min(self.half_life, self.ramp * seen)
        weight = 1 - 0.5 ** (examples / max(half_life, _SHORTEST))
        if isinstance(weight, Tensor):
            steps = torch._foreach_sub(values, averages)
            torch._foreach_mul_(steps, weight)
            torch._foreach_add_(averages, steps)
        else:
            torch._foreach_lerp_(averages, values, weight)
        buffers = list(self.average.buffers())
        if buffers:
            torch._foreach_copy_(buffers, list(network.buffers()))

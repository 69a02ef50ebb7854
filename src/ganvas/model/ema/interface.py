"""What a recipe asks of an average of the generator's weights."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class WeightAverage(nn.Module, ABC):
    """A running average of one network; ``average`` is a frozen copy that is used for images and metrics.

    The average is part of the recipe's state, and is updated inside the training step, so that a
    checkpoint never holds a stale one.
    """

    average: nn.Module

    @abstractmethod
    def track(self, network: nn.Module) -> None:
        """Starts the average as a copy of ``network``."""

    def out_of_reach(self, examples: int) -> list[str]:
        """What its options keep a run of so many examples from, a line each: ``option=value: ...``."""
        del examples
        return []

    @abstractmethod
    def update(self, network: nn.Module, examples: int | Tensor, seen: int) -> None:
        """Moves the average toward ``network`` after ``examples`` more training examples.

        Args:
            network: as its step has left it.
            examples: since the step before; on an accelerator a scalar there, 0 where the step was left out.
            seen: examples since the run's start, those among them; at least 1.
        """

"""What a recipe asks of a reconstruction loss."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor


class ReconstructionLoss(ABC):
    """A distance between samples and what came back through the bottleneck."""

    @abstractmethod
    def __call__(self, *, reconstruction: Tensor, target: Tensor) -> Tensor:
        """Two tensors [B, ...] of one shape, about [-1, 1], to a scalar mean with a gradient."""

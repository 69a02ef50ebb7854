"""What a recipe asks of a discriminator (or critic)."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Discriminator(Protocol):
    """A network from samples to logits; positive means "real"."""

    def __call__(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Samples [B, ...] in [-1, 1] and classes int64 [B] to logits float [B]."""
        ...

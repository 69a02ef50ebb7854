"""What a recipe asks of an encoder."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Encoder(Protocol):
    """A network from samples to a grid of latent vectors."""

    def __call__(self, x: Tensor) -> Tensor:
        """Samples [B, ...] in [-1, 1] to latents [B, D, *positions], e.g. [B, 64, 7, 7] or [B, 8, 8]."""
        ...

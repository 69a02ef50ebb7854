"""What a recipe asks of a decoder."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Decoder(Protocol):
    """A network from a grid of (quantized) latent vectors back to samples."""

    def __call__(self, z: Tensor) -> Tensor:
        """Latents [B, D, *positions] to samples [B, ...] in [-1, 1]."""
        ...

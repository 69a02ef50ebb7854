"""What a recipe asks of a decoder."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Decoder(Protocol):
    """A network from a grid of (quantized) latent vectors back to samples.

    One whose samples lie in [-1, 1] before anything is clamped says so by ``is_bounded = True``: losses of
    probabilities ask for it.
    """

    def __call__(self, z: Tensor) -> Tensor:
        """Latents [B, D, *positions] to samples [B, ...], about [-1, 1], of the shape that was encoded."""
        ...

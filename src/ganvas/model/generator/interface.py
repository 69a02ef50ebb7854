"""What a recipe asks of a generator."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Generator(Protocol):
    """A network from latents to samples.

    One with ``has_truncation = True`` takes ``truncation: float | None`` as a third argument, by its name:
    ``ganvas sample --truncation`` then leaves latents as they are. One with ``draws_by_keys = True`` draws in
    training, and takes ``keys`` by its name: int64 [B], of which what it draws is a function; by default they
    are :func:`ganvas.functional.keyed_random.keys_of` of its latents. One with a method ``after_step()`` is
    told of each of its optimizer's steps; a second call must change nothing.

    A constructor takes at least what it needs of ``latent_dim``, ``sample_shape`` or ``channels`` and
    ``image_size``; the YAML reads them from the model and the data by interpolation.
    """

    latent_dim: int

    def __call__(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents float32 [B, latent_dim] and classes int64 [B] to samples [B, ...] in [-1, 1]."""
        ...

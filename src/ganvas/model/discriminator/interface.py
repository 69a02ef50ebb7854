"""What a recipe asks of a discriminator (or critic)."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Discriminator(Protocol):
    """A network from samples to features, of which the model's head makes logits.

    Attributes:
        feature_dim: F, length of a feature vector.
        gives_patches: whether it makes a map [B, C, h, w] instead, of which the head judges each patch by its
            k x k neighbourhood, F = C k^2; may be left out.
        spectral: whether every weight is divided by its largest singular value, and the head's shall be too;
            may be left out.
        layers_from_input: its layers or blocks, modules in the order in which samples pass them, which
            ``model.freeze_discriminator_layers`` counts; may be left out where its children stand so. What
            they make is what ``model.feature_matching`` compares: a tensor [B, ...], or a list of some.
    """

    feature_dim: int

    def __call__(self, x: Tensor) -> Tensor:
        """Samples [B, ...] in [-1, 1] to features [B, F], or to a map [B, C, h, w]."""
        ...

"""What a distance between sets of samples asks of its features."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class FeatureExtractor(Protocol):
    """A fixed map from samples to feature vectors.

    Attributes:
        protocol: plain values that name it completely (name, resizer, sha256 of the weights ...): two
            figures are comparable only where these are equal.
    """

    protocol: dict[str, object]

    def __call__(self, x: Tensor) -> Tensor:
        """Samples [B, ...] in [-1, 1] to features float32 [B, F]."""
        ...

"""What a classifier asks of its network."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor


class Classified(NamedTuple):
    """What a network makes of samples: logits [B, K] of the classes, features [B, F] of the layer before."""

    logits: Tensor
    features: Tensor


class Network(Protocol):
    """A network from samples to the logits of classes."""

    def __call__(self, x: Tensor) -> Classified:
        """Samples [B, ...] in [-1, 1] to logits and the features that these are linear in."""
        ...

"""A discriminator with dropout."""

from __future__ import annotations

import math

from torch import Tensor, nn


class DropoutMLP(nn.Module):
    """Linear - ReLU - Dropout - Linear to one logit.

    Args:
        sample_shape: shape of one sample.
        hidden_dim: units of the hidden layer.
        p: probability that a unit is left out.
    """

    def __init__(self, sample_shape: list[int], hidden_dim: int, p: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(sample_shape), hidden_dim),
            nn.ReLU(),
            nn.Dropout(p),
            nn.Linear(hidden_dim, 1),
            nn.Flatten(0),
        )

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Samples [B, *sample_shape] to logits [B]."""
        return self.layers(x)

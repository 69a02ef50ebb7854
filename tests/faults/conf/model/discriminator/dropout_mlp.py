"""A discriminator with dropout."""

from __future__ import annotations

import math

from torch import Tensor, nn


class DropoutMLP(nn.Module):
    """Linear - ReLU - Dropout.

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
        )
        self.feature_dim = hidden_dim

    def forward(self, x: Tensor) -> Tensor:
        """Samples [B, *sample_shape] to features [B, feature_dim]."""
        return self.layers(x)

"""A discriminator of two fully connected layers, for small images and points."""

from __future__ import annotations

import math

from torch import Tensor, nn

from ganvas.model.layers import require_input, require_positive, require_shape


class MLPDiscriminator(nn.Module):
    """Linear - ReLU - Linear to one logit; 100,609 parameters at 28x28 pixels.

    Args:
        sample_shape: shape of one sample, e.g. [1, 28, 28] or [2].
        hidden_dim: units of the hidden layer.

    Raises:
        OptionError: a size below 1.
    """

    def __init__(self, sample_shape: list[int], hidden_dim: int = 128) -> None:
        super().__init__()
        require_shape(sample_shape)
        self.sample_shape = tuple(sample_shape)
        require_positive("hidden_dim", hidden_dim)
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(sample_shape), hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_dim, 1),
            nn.Flatten(0),
        )

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Samples [B, *sample_shape] in [-1, 1] to logits [B]; ``label`` is not read."""
        require_input(x, *self.sample_shape)
        return self.layers(x)
